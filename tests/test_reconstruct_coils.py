"""Scans of several coils from arrays to files: maps, wider fields, raw data."""

import command_server
import h5py
import numpy as np
import pydicom
import pytest
import raw_data
import tiny
from test_reconstruct import kspace_of

from mgdm_jax.data import scan_arrays
from mgdm_jax.operators import coils, fourier


def test_coils_and_slices(tmp_path):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 8, 8)) + 1j
    np.save(tmp_path / "maps.npy", maps)
    for shape in ((3, 8, 8), (2, 3, 8, 8)):
        np.save(tmp_path / "k.npy", rng.normal(size=shape) + 1j)
        files = (str(tmp_path / name) for name in ("k.npy", "maps.npy"))
        got = scan_arrays.mri_arrays(next(files), None, next(files))
        assert got.kspace.shape[-3:] == (3, 8, 8) and got.kspace.ndim == 4


@pytest.mark.parametrize("centered", [True, False])
def test_coils_bring_their_own_maps(tmp_path, centered):
    """ESPIRiT finds sensitivities that explain k-space, whatever its order."""
    y, x = (np.arange(n) - n // 2 for n in (48, 40))
    image = (np.add.outer((y / 17) ** 2, (x / 14) ** 2) < 1) * (1 + 0.5j)
    true = coils.birdcage_sensitivities((48, 40), 4)
    values = kspace_of(true * image)[None].astype(np.complex64)
    mask = ((np.arange(40) % 3 == 0) | (np.abs(x) < 7)).astype(float)
    if not centered:
        values = np.asarray(fourier.centred_to_corner(values))
        mask = np.fft.ifftshift(mask)
    np.save(tmp_path / "k.npy", values)
    np.save(tmp_path / "m.npy", mask)
    files = (str(tmp_path / name) for name in ("k.npy", "m.npy"))
    got = scan_arrays.mri_arrays(*files, None, centered=centered)
    alike = np.abs((got.sensitivity_maps[0].conj() * true).sum(0))
    assert alike[np.abs(image) > 0].min() > 0.99


def test_the_middle_of_a_wider_field(tmp_path):
    """Rectangular k-space, as most scanners give, with a prior of smaller squares."""
    y, x = (np.arange(n) - n // 2 for n in (64, 48))
    image = np.exp(-np.add.outer((y / 6) ** 2, (x / 5) ** 2)) * (1 + 0.3j)
    np.save(tmp_path / "k.npy", kspace_of(image).astype(np.complex64))
    prior = tiny.write_prior(tmp_path, 32, 2)
    words = (f"--prior={prior}", "--kspace=k.npy", "--out=out.npy", "--n_steps=2")
    words += ("--method=ddnm",)
    folder = tmp_path
    done = command_server.run("reconstruct", *words, "--wider-field", cwd=folder)
    assert done.code == 0, done.err
    got = np.load(folder / "out.npy")[0]
    np.testing.assert_allclose(got, image[16:48, 8:40], atol=0.02)


def test_maps_may_be_zero_outside_the_body(tmp_path):
    """As BART's and others' are: images are zero there, and nothing is refused."""
    y, x = (np.arange(32) - 16 for _ in range(2))
    body = np.add.outer((y / 11) ** 2, (x / 9) ** 2) < 1
    maps = coils.birdcage_sensitivities((32, 32), 4) * body
    mask = (np.arange(32) % 2 == 0) | (np.abs(x) < 5)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = (kspace_of(maps * body) * mask)[None].astype(np.complex64)
        file["mask"], file["sensitivity_maps"] = mask, maps.astype(np.complex64)
    prior = tiny.write_prior(tmp_path, 32, 2)
    words = (f"--prior={prior}", "--kspace=scan.h5", "--out=out.npy", "--n_steps=2")
    done = command_server.run("reconstruct", *words, "--method=ddnm", cwd=tmp_path)
    assert done.code == 0, done.err
    got = np.load(tmp_path / "out.npy")[0]
    assert np.isfinite(got).all() and "ESPIRiT" not in done.out
    assert np.abs(got[body] - 1).mean() < 0.1


def test_raw_data_become_a_series(tmp_path):
    """From an ISMRMRD file to DICOM where it says, and nothing where it cannot be."""
    images = np.random.default_rng(0).uniform(size=(2, 1, 64, 32)) + 0j
    space = ((64, 32, 1), (64.0, 64.0, 3.0)), ((32, 32, 1), (32.0, 64.0, 3.0))
    lines = [
        raw_data.line(one[:, :, step], step, n, (5.0 * raw_data.SLICE * n).tolist())
        for n, one in enumerate(raw_data.kspace_of(images))
        for step in range(0, 32, 2)
    ]
    kspace = raw_data.write(tmp_path / "k.h5", raw_data.header(*space, 16), lines)
    prior = tiny.write_prior(tmp_path, 32, 2)
    words = [f"--kspace={kspace}", f"--prior={prior}", "--n_steps=2", "--method=ddnm"]
    done = command_server.run("reconstruct", *words, "--out=out/", cwd=tmp_path)
    assert done.code == 0, done.err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0001.dcm", "0002.dcm"]
    # Columns run along the phase encoding: rows x columns is against the slices.
    header = pydicom.dcmread(tmp_path / "out" / "0001.dcm")
    corner = 5 * raw_data.SLICE - 16 * raw_data.READ - 32 * raw_data.PHASE
    np.testing.assert_allclose(header.ImagePositionPatient, corner, atol=1e-4)
    assert list(header.PixelSpacing) == [1, 2] and header.PatientName == "Doe^J"
    assert header.SeriesDescription == "ddnm, mean of 1"
    done = command_server.run("reconstruct", *words, "--out=both.dcm", cwd=tmp_path)
    assert done.code == 2 and ".dcm holds one slice" in done.err
    assert len(done.err.splitlines()) == 1 and not (tmp_path / "both.dcm").exists()


def test_slices_of_different_masks_need_one(tmp_path):
    values = np.ones((2, 8, 8), complex)
    values[0, :, ::2] = values[1, :, 1::2] = 0
    np.save(tmp_path / "k.npy", values)
    with pytest.raises(ValueError, match="give --mask"):
        scan_arrays.mri_arrays(str(tmp_path / "k.npy"), None, None)
