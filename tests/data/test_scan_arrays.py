"""A scan's arrays out of one file or several; flags come before what is there."""

import h5py
import numpy as np
import pytest
import scanner_files
import scipy.io

from mgdm_jax.data import hdf5, scan_arrays
from mgdm_jax.operators import coils


def write_file(path, attrs=(), **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
        file.attrs.update(dict(attrs))
    return str(path)


def test_what_lies_beside_kspace_in_its_file_is_used(tmp_path):
    """The README's layout of one file, as `run` reads it; flags come before it."""
    rng = np.random.default_rng(0)
    path = write_file(
        tmp_path / "scan.h5",
        {"centered": False, "scale": 2.5},
        kspace=rng.normal(size=(2, 3, 8, 8)) + 1j,
        mask=np.arange(8) % 2,
        sensitivity_maps=rng.normal(size=(3, 8, 8)) + 1j,
    )
    want = hdf5.read_mri(path)
    for source in (path, f"{path}#kspace"):
        got = scan_arrays.mri_arrays(source, None, None)
        for name in ("kspace", "mask", "sensitivity_maps"):
            np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
        assert (got.centered, got.scale, got.maps_estimated) == (False, 2.5, False)
    np.save(tmp_path / "m.npy", np.ones(8))
    np.save(tmp_path / "s.npy", np.ones((3, 8, 8)) + 1j)
    mask, maps = (str(tmp_path / name) for name in ("m.npy", "s.npy"))
    got = scan_arrays.mri_arrays(path, mask, maps, centered=True, scale=3.0)
    assert got.mask.all() and (got.sensitivity_maps == 1 + 1j).all()
    assert (got.centered, got.scale) == (True, 3.0)


def test_an_array_of_another_name_has_no_neighbours(tmp_path):
    path = write_file(
        tmp_path / "scan.h5", kspace=np.ones(3), other=np.ones((1, 8, 8)) + 1j, mask=0
    )
    assert scan_arrays.mri_arrays(f"{path}#other", None, None).mask.all()


def test_a_bad_attribute_is_blamed_on_its_file(tmp_path):
    path = write_file(
        tmp_path / "k.h5", {"centered": "no"}, kspace=np.ones((8, 8)) + 1j
    )
    with pytest.raises(ValueError, match=r"k\.h5: attribute centered must be true"):
        scan_arrays.mri_arrays(path, None, None)


def test_one_coil_needs_no_maps(tmp_path):
    np.save(tmp_path / "k.npy", np.ones((2, 1, 8, 8)) + 1j)
    got = scan_arrays.mri_arrays(str(tmp_path / "k.npy"), None, None)
    assert got.kspace.shape == (2, 8, 8) and got.sensitivity_maps is None


def test_angles_may_lie_beside_the_sinogram(tmp_path):
    attrs, arrays = {"scale": 2.0}, {"sinogram": np.ones((1, 5, 8))}
    path = write_file(
        tmp_path / "scan.h5", attrs, **arrays, angles_deg=np.arange(5) * 36.0
    )
    got = scan_arrays.ct_arrays(path)
    assert got.scale == 2.0 and got.angles_deg[1] == 36
    np.save(tmp_path / "a.npy", np.arange(5) * 30.0)
    got = scan_arrays.ct_arrays(path, str(tmp_path / "a.npy"), 3.0)
    assert got.scale == 3.0 and got.angles_deg[1] == 30
    alone = write_file(tmp_path / "alone.h5", **arrays)
    with pytest.raises(ValueError, match=r"alone\.h5: holds no angles_deg .* --angles"):
        scan_arrays.ct_arrays(alone)


def write_bart(path, values):
    """Write [c, h, w] as BART does, w first and coils at its axis 3."""
    c, h, w = values.shape
    values.astype(np.complex64).tofile(path)
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{w} {h} 1 {c} 1\n")
    return str(path)


def test_bart_s_coils_bring_their_own_maps(tmp_path):
    """Without maps as well, its axis 3 are coils of one slice."""
    true = coils.birdcage_sensitivities((32, 24), 4)
    values = scanner_files.centred_fft(true * np.hanning(32)[:, None] * np.hanning(24))
    kspace = write_bart(tmp_path / "k.cfl", values)
    got = scan_arrays.mri_arrays(kspace, None, None)
    assert got.kspace.shape == got.sensitivity_maps.shape == (1, 4, 32, 24)
    assert got.maps_estimated
    maps = write_bart(tmp_path / "maps.cfl", true)
    got = scan_arrays.mri_arrays(kspace, None, maps)
    assert got.kspace.shape == (1, 4, 32, 24) and not got.maps_estimated
    np.testing.assert_allclose(got.sensitivity_maps, true, rtol=1e-6)


@pytest.mark.parametrize(("dimensions", "axis"), [("1 12 1", 0), ("12 1 1", 1)])
def test_bart_s_masks_keep_to_their_axis(dimensions, axis, tmp_path, rng):
    """Complex in the file, along y or x: on square k-space nothing else tells which."""
    pattern = np.array([1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1], np.float32)
    pattern.astype(np.complex64).tofile(tmp_path / "mask.cfl")
    (tmp_path / "mask.hdr").write_text(f"# Dimensions\n{dimensions}\n")
    want = np.broadcast_to(np.expand_dims(pattern, 1 - axis), (12, 12))
    kspace = rng.normal(size=(1, 12, 12)) + 1j
    kspace = write_bart(tmp_path / "k.cfl", kspace * want)
    got = scan_arrays.mri_arrays(kspace, str(tmp_path / "mask.cfl"), None)
    np.testing.assert_array_equal(got.mask, want)


def test_a_row_or_column_of_matlab_is_a_mask(tmp_path, rng):
    column = np.array([1.0, 0, 1, 1, 0, 1])[:, None]
    kspace = (rng.normal(size=(2, 6, 8)) + 1j) * column
    both = {"kspace": kspace.T, "mask": column.T}
    scipy.io.savemat(tmp_path / "scan.mat", both)
    got = scan_arrays.mri_arrays(str(tmp_path / "scan.mat") + "#kspace", None, None)
    np.testing.assert_array_equal(got.mask, np.broadcast_to(column, (6, 8)))


def test_bart_s_sinograms_are_real(tmp_path, rng):
    sinogram = rng.uniform(1, 2, (5, 8))
    write_bart(tmp_path / "s.cfl", sinogram[None])
    write_bart(tmp_path / "a.cfl", np.arange(5.0).reshape(1, 1, 5) * 36)
    got = scan_arrays.ct_arrays(str(tmp_path / "s.cfl"), str(tmp_path / "a.cfl"))
    np.testing.assert_allclose(got.sinogram[0], sinogram, rtol=1e-6)
    np.testing.assert_array_equal(got.angles_deg, np.arange(5) * 36)
    write_bart(tmp_path / "s.cfl", sinogram[None] + 1j)
    with pytest.raises(ValueError, match="sinogram must be real"):
        scan_arrays.ct_arrays(str(tmp_path / "s.cfl"), str(tmp_path / "a.cfl"))
