import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import scanner_files

from mgdm_jax.data import arrays, espirit, fastmri, hdf5, jobs, volumes
from mgdm_jax.operators import coils, masks

FULL, SMALL = (640, 368), (256, 140)
SAMPLING = fastmri.Sampling("equispaced", 4, seed=1)


def knee(shape=FULL):
    """Return a smooth complex object inside the central half of the readout."""
    y, x = (np.arange(n) - n // 2 for n in shape)
    h, w = shape
    inside = np.add.outer((y / h / 0.19) ** 2, (x / w / 0.35) ** 2) < 1
    detail = 0.6 + 0.3 * np.cos(np.add.outer(y / 9, x / 7))
    return inside * detail * np.exp(1j * np.add.outer(y / 200, x / 300))


def coil_images(shape=FULL, n_coils=4):
    """Return the object [h, w] and its images [c, h, w] under birdcage coils."""
    image = knee(shape)
    return image, image * coils.birdcage_sensitivities(shape, n_coils)


def volume_at(path):
    (volume,) = fastmri.find(path.parent)
    return volume


def centre(image, size=320):
    """Return fastMRI's central crop of the last two axes."""
    h, w = image.shape[-2:]
    top, left = (h - size) // 2, (w - size) // 2
    return image[..., top : top + size, left : left + size]


def test_one_coil_at_full_size(tmp_path):
    image = knee()
    scanner_files.write_fastmri(tmp_path / "k.h5", np.stack([image, 2 * image]))
    volume = volume_at(tmp_path / "k.h5")
    assert volume.subject == "patient-1"
    slices = fastmri.load(volume, volumes.Target())
    assert slices.images.shape == (2, 320, 320) and slices.images.dtype == np.complex64
    assert slices.label == ["singlecoil"] * 2
    assert slices.pixel_mm == pytest.approx(0.5)
    expected = centre(np.stack([image, 2 * image])) / (2 * np.abs(image).max())
    np.testing.assert_allclose(slices.images, expected, atol=1e-6)
    assert slices.scale[0] == pytest.approx(2 * np.abs(image).max(), rel=1e-5)


def test_several_coils_at_full_size(tmp_path):
    """The combination has the object's magnitude: Σ|S|² is 1."""
    image, each = coil_images()
    scanner_files.write_fastmri(tmp_path / "k.h5", each[None])
    slices = fastmri.load(volume_at(tmp_path / "k.h5"), volumes.Target())
    found = np.abs(slices.images[0]) * slices.scale[0]
    inside = centre(np.abs(image)) > 0
    np.testing.assert_allclose(found[inside], centre(np.abs(image))[inside], rtol=0.02)


def test_sensitivities_are_the_true_ones_up_to_a_phase():
    image, each = coil_images((64, 60))
    maps = espirit.sensitivities(scanner_files.centred_fft(each))
    true = coils.birdcage_sensitivities((64, 60), 4)
    np.testing.assert_allclose((np.abs(maps) ** 2).sum(0), 1, atol=1e-4)
    alike = np.abs((maps.conj() * true).sum(0))[np.abs(image) > 0]
    assert alike.min() > 0.995


@pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")
def test_sensitivities_are_those_of_bart(tmp_path):
    """Of its own phantom, all but a few pixels at the edge."""
    for words in ("phantom -x128 -k -s8 k", "ecalib -m1 -c0 -r24 k maps"):
        subprocess.run(["bart", *words.split()], cwd=tmp_path, check=True)
    kspace, maps = (
        arrays.read(str(tmp_path / f"{name}.cfl"), name)[0] for name in ("k", "maps")
    )
    image = np.linalg.norm(fastmri.to_image(kspace), axis=0)
    maps = maps / np.linalg.norm(maps, axis=0)
    alike = np.abs((espirit.sensitivities(kspace).conj() * maps).sum(0))
    assert np.percentile(alike[image > 0.05 * image.max()], 1) > 0.999


def test_calibration_is_the_complete_centre():
    columns = masks.equispaced_columns(320, 8, 0)
    mask = np.broadcast_to(columns, (320, 320))
    width = espirit.calibration_width(mask)
    centre_block = int(0.04 * 320 + 0.5)
    assert centre_block - 1 <= width <= centre_block + 2
    assert espirit.calibration_width(np.ones((100, 90))) == espirit.CALIBRATION
    with pytest.raises(ValueError, match="no complete centre"):
        espirit.calibration_width(np.zeros((64, 64)))


def test_measured_k_space_is_that_of_the_cropped_coils(tmp_path):
    image, each = coil_images(SMALL)
    scanner_files.write_fastmri(tmp_path / "k.h5", each[None], recon=(128, 128))
    arrays = fastmri.measured(volume_at(tmp_path / "k.h5"), SAMPLING)
    mask = masks.make_mask("equispaced", (128, 128), 4, 1)
    np.testing.assert_array_equal(arrays["mask"], mask)
    expected = scanner_files.centred_fft(centre(each, 128)) * mask
    np.testing.assert_allclose(arrays["kspace"][0], expected, atol=1e-5)
    image = centre(np.abs(image), 128)
    reference = np.abs(arrays["reference"][0])
    np.testing.assert_allclose(reference[image > 0], image[image > 0], rtol=0.03)


def test_own_masks_are_honoured(tmp_path):
    """Only the readout's oversampling goes; columns stay as they were measured."""
    _, each = coil_images(SMALL)
    mask = masks.equispaced_columns(SMALL[1], 4, 0)
    kspace = scanner_files.write_fastmri(
        tmp_path / "k.h5", each[None], mask=mask, recon=(128, 128)
    )
    volume = volume_at(tmp_path / "k.h5")
    arrays = fastmri.measured(volume, None)
    assert arrays["kspace"].shape == (1, 4, 128, SMALL[1])
    assert "reference" not in arrays
    np.testing.assert_array_equal(arrays["mask"], mask)
    assert not arrays["kspace"][..., mask == 0].any()
    rows = np.fft.ifft(np.fft.ifftshift(kspace * mask, -2), axis=-2, norm="ortho")
    rows = np.fft.fftshift(rows, -2)[..., 64:192, :]
    again = np.fft.fft(np.fft.ifftshift(rows, -2), axis=-2, norm="ortho")
    np.testing.assert_allclose(arrays["kspace"], np.fft.fftshift(again, -2), atol=1e-5)
    with pytest.raises(ValueError, match="has its own mask"):
        fastmri.measured(volume, SAMPLING)
    with pytest.raises(ValueError, match="undersampled"):
        fastmri.load(volume, volumes.Target())


def test_complete_k_space_wants_a_sampling(tmp_path):
    scanner_files.write_fastmri(tmp_path / "k.h5", np.ones((1, 8, 8)), recon=(4, 4))
    with pytest.raises(ValueError, match="give --acceleration"):
        fastmri.measured(volume_at(tmp_path / "k.h5"), None)


def test_the_written_file_is_one_that_run_reads(tmp_path):
    _, each = coil_images(SMALL)
    scanner_files.write_fastmri(tmp_path / "k.h5", each[None], recon=(128, 128))
    out = tmp_path / "out"
    out.mkdir()
    job = jobs.MeasuredJob(volume_at(tmp_path / "k.h5"), "test", out, SAMPLING)
    entry = jobs.run(job)
    contents = hdf5.read_mri(out / "k.h5")
    assert entry["slices"] == 1 and contents.centered
    assert contents.kspace.shape == contents.sensitivity_maps.shape == (1, 4, 128, 128)
    assert contents.scale == pytest.approx(np.abs(contents.reference).max())


def retold(file, xml):
    del file["ismrmrd_header"]
    file["ismrmrd_header"] = xml


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.__delitem__("ismrmrd_header"), "no ismrmrd_header"),
        (lambda f: f.create_dataset("mask", data=np.ones(5)), "mask is"),
        (lambda f: f.move("ismrmrd_header", "kspace2"), "no ismrmrd_header"),
        *(
            (lambda f, xml=xml: retold(f, xml), "its ismrmrd_header cannot be read")
            for xml in ("<ismrmrdHeader/>", "no XML", 3)
        ),
    ],
)
def test_other_files_are_refused(tmp_path, change, message):
    path = tmp_path / "k.h5"
    scanner_files.write_fastmri(path, np.ones((1, 8, 8)), recon=(4, 4))
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(ValueError, match=message):
        fastmri.read(str(path))


def test_without_ismrmrd_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ismrmrd", None)
    with pytest.raises(ValueError, match=r"pip install mgdm-jax\[formats\]"):
        fastmri.find(tmp_path)
