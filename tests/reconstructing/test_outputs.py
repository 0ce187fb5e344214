"""What is written: refused before the sampling, in the right units, whole or not."""

from types import SimpleNamespace

import grids
import h5py
import nibabel
import numpy as np
import pydicom
import pytest

from mgdm_jax import defaults, figures, posterior
from mgdm_jax.data import geometry, hdf5, resize
from mgdm_jax.data.geometry import Geometry
from mgdm_jax.measurements import Measurements
from mgdm_jax.reconstructing import outputs, scan_report

N, H, W = grids.SHAPE
GRID = Geometry(geometry.flipped(grids.oblique_ras()), grids.SHAPE, 2.0)


def mri(grid=None):
    kspace = np.ones(grids.SHAPE, np.complex64)
    return hdf5.MriFile(kspace, np.ones((H, W)), None, None, True, None, grid)


def ct(n=N, detectors=4):
    return hdf5.CtFile(np.ones((n, 3, detectors)), np.arange(3.0), None, 1.0)


def write_nifti(path, shape=grids.SHAPE):
    image = nibabel.Nifti1Image(np.zeros(shape[::-1], "f4"), grids.oblique_ras())
    nibabel.save(image, path)
    return str(path)


def found(mean):
    """Return two samples around a mean of operator units, and their measurements."""
    n, h, w = mean.shape[:3]
    samples = np.stack([mean - 0.25, mean + 0.25])
    result = posterior.Posterior(
        mean=mean,
        std=np.full((n, h, w), 0.25, np.float32),
        null_space=np.full((n, h, w), 0.5, np.float32),
        samples=samples,
        baseline=mean * 0.5,
        data_residual=np.zeros((2, n)),
        diverged=np.zeros((2, n), bool),
        first=None,
    )
    scale = np.full(n, 3.0, np.float32)
    measurement = np.zeros((n, 1), np.float32)
    return result, Measurements(None, measurement, 0.0, None, scale, None, {})


def write(plan, mean):
    outputs.write(plan, *found(mean), "mgdm")


def complex_images():
    return np.stack([grids.values(seed=1), grids.values(seed=2)], -1)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_magnitudes_go_where_the_grid_says(suffix, tmp_path):
    source = write_nifti(tmp_path / "source.nii.gz")
    path = tmp_path / f"out{suffix}"
    mean = complex_images()
    write(outputs.plan(path, mri(), source), mean)
    read = nibabel.load(path)
    np.testing.assert_allclose(read.affine, nibabel.load(source).affine, atol=1e-5)
    want = 3 * np.hypot(mean[..., 0], mean[..., 1])
    np.testing.assert_allclose(read.get_fdata().T, want, rtol=1e-6)
    assert read.header["descrip"] == b"mgdm, mean of 2"


def test_the_measurements_grid_is_taken_unless_another_is_given(tmp_path):
    plan = outputs.plan(tmp_path / "out.nii", mri(GRID))
    assert plan.grid is GRID
    other = write_nifti(tmp_path / "other.nii")
    assert outputs.plan(tmp_path / "out.nii", mri(GRID), other).grid is not GRID
    assert outputs.plan(tmp_path / "out.nii", mri()).grid is None


def test_the_middle_of_a_wider_field_stays_where_it_is(tmp_path):
    """The measurements' grid is cropped as images are; another is of their size."""
    plan = outputs.plan(tmp_path / "out.nii", mri(GRID), size=(2, 3))
    assert plan.grid.shape == (N, 2, 3)
    want = resize.crop_or_pad(np.moveaxis(grids.points(GRID.affine), -1, 0), (2, 3))
    got = grids.points(plan.grid.affine, (N, 2, 3))
    np.testing.assert_allclose(got, np.moveaxis(want, 0, -1), atol=1e-9)
    source = write_nifti(tmp_path / "source.nii", (N, 2, 3))
    plan = outputs.plan(tmp_path / "out.nii", mri(), source, size=(2, 3))
    assert plan.grid.shape == (N, 2, 3)


def test_a_series_of_ct_is_in_hounsfield_units(tmp_path):
    source = write_nifti(tmp_path / "source.nii", (N, 4, 4))
    plan = outputs.plan(tmp_path / "out", ct(), source)
    mean = grids.values((N, 4, 4)).clip(0, 1)
    write(plan, mean)
    one = pydicom.dcmread(tmp_path / "out" / "0001.dcm")
    assert (one.Modality, one.RescaleType) == ("CT", "HU")
    got = one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept)
    half = float(one.RescaleSlope) / 2
    np.testing.assert_allclose(got, mean[0] * 2048 - 1024, atol=1.001 * half)


@pytest.mark.parametrize(
    ("units", "gain", "offset"), [("hu", 2048, -1024), (None, 3, 0)]
)
def test_deviations_have_no_offset(units, gain, offset, tmp_path):
    mean = grids.values((N, 4, 4))
    write(outputs.plan(tmp_path / "out.h5", ct(), units=units), mean)
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_allclose(
            file["reconstruction"], mean * gain + offset, rtol=1e-5
        )
        first = (mean - 0.25) * gain + offset
        np.testing.assert_allclose(file["samples"][0], first, rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(file["std"], 0.25 * gain)
        np.testing.assert_allclose(file["null_space"], 0.5 * gain)
        assert file.attrs["units"] == (units or "scan")


def test_one_sample_has_no_deviation(tmp_path, monkeypatch):
    """Zeros would say that it is certain."""
    drawn = []
    maps = figures.maps
    monkeypatch.setattr(figures, "maps", lambda x: drawn.extend(x) or maps(x))
    both, scan = found(grids.values((N, 4, 4)))
    one = both._replace(samples=both.samples[:1], std=np.full_like(both.std, np.nan))
    for suffix in (".h5", ".png"):
        outputs.write(outputs.plan(tmp_path / f"out{suffix}", ct()), one, scan, "mgdm")
    with h5py.File(tmp_path / "out.h5") as file:
        assert "null_space" in file and "std" not in file
    assert drawn == ["baseline", "mean", "null space"]


def test_units_can_be_the_scan_s_in_dicom_too(tmp_path):
    source = write_nifti(tmp_path / "source.nii", (1, 4, 4))
    mean = grids.values((1, 4, 4))
    write(outputs.plan(tmp_path / "out.dcm", ct(1), source, "scan"), mean)
    one = pydicom.dcmread(tmp_path / "out.dcm")
    assert one.RescaleType == "US"
    assert float(one.RescaleIntercept) == pytest.approx(3 * mean.min(), rel=1e-6)


@pytest.mark.parametrize(
    ("out", "contents", "options", "message"),
    [
        ("a.nii", mri(), {"geometry": "g.nii"}, r"g.nii has 7 .* 4x5, .* 3 of 4x5"),
        ("a.npy", mri(), {"geometry": "g.nii"}, r"\.npy holds no geometry"),
        ("a.nii", mri(), {"geometry": "absent.nii"}, "absent.nii: there is no such"),
        ("a.nii", mri(), {"geometry": "text"}, "text: holds no DICOM"),
        ("g.nii", mri(), {"geometry": "g.nii"}, "would replace --geometry"),
        ("folder", mri(), {"geometry": "folder/a.dcm"}, "would replace --geometry"),
        ("a.nii", mri(), {"units": "hu"}, "hu is for CT"),
        ("a.nii", ct(), {"units": "mm"}, "scan or hu"),
        ("a.png", ct(), {"units": "hu"}, r"\.png"),
        ("out", mri(), {}, "give --geometry"),
        ("a.dcm", mri(GRID), {}, "there are 3; give --out FOLDER/"),
    ],
)
def test_what_cannot_be_written_is_refused(
    out, contents, options, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_nifti(tmp_path / "g.nii", (7, 4, 5))
    (tmp_path / "text").write_text("no grid")
    with pytest.raises(ValueError, match=message) as caught:
        outputs.plan(tmp_path / out, contents, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("out.tiff", "must end in"),
        ("out", "must end in"),
        ("out.nii/", "must end in"),
        ("there.npy", "exists; give another"),
        ("series", "exists; give another"),
        ("absent/out.npy", "no folder that can be written"),
        ("absent/out/", "no folder that can be written"),
    ],
)
def test_targets_that_cannot_be_are_refused(out, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.npy").write_bytes(b"mine")
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_bytes(b"mine")
    with pytest.raises(ValueError, match=message):
        outputs.check_target(out, overwrite=False)
    assert (tmp_path / "there.npy").read_bytes() == b"mine"


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert outputs.check_target(f"{out}/", overwrite=False) == out
    out.mkdir()
    assert outputs.check_target(str(out), overwrite=False) == out
    (out / "0009.dcm").write_bytes(b"mine")
    plan = outputs.plan(outputs.check_target(str(out), overwrite=True), mri(GRID))
    with monkeypatch.context() as patched:
        patched.setattr(pydicom.Dataset, "save_as", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write(plan, grids.values())
    assert [path.name for path in out.iterdir()] == ["0009.dcm"]
    write(plan, grids.values())
    assert sorted(path.name for path in out.iterdir())[0] == "0001.dcm"
    assert len(list(out.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (out / "report.pdf").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"more than \.dcm files"):
        outputs.check_target(str(out), overwrite=True)


def test_any_number_of_samples_can_be_written(tmp_path):
    """What is known of each is no attribute, which HDF5 holds 64 KB of."""
    result, scan = found(np.zeros((20, 4, 4), np.float32))
    many = 1000
    result = result._replace(
        samples=np.zeros((many, 20, 4, 4), np.float32),
        data_residual=np.arange(many * 20.0).reshape(many, 20),
        diverged=np.zeros((many, 20), bool),
    )
    path = tmp_path / "out.h5"
    outputs.write(outputs.plan(path, ct(20)), result, scan, "mgdm")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["data_residual"], result.data_residual)
        assert file["diverged"].shape == (many, 20) and not file["diverged"][()].any()


@pytest.mark.parametrize("source", ["scan.h5", "scan.h5#kspace", "no #1/../scan.h5"])
def test_what_is_read_is_not_replaced(source, tmp_path):
    (tmp_path / "no #1").mkdir()
    outputs.check_unread([tmp_path / "other.h5", None], [str(tmp_path / source)])
    with pytest.raises(ValueError, match=r"scan\.h5, which is read; give another"):
        outputs.check_unread([tmp_path / "scan.h5", None], [str(tmp_path / source)])


def test_a_mean_without_its_diverged_samples_has_not_diverged():
    result, scan = found(np.zeros((N, 4, 4), np.float32))
    first = SimpleNamespace(
        x0_hat=None, info=SimpleNamespace(data_residual=np.zeros((N, 5)))
    )
    diverged = np.zeros((2, N), bool)
    diverged[0, 0] = diverged[:, 1] = True
    result = result._replace(diverged=diverged, first=first)
    told = scan_report.finished(result, scan, defaults.reconstruction(), "x")
    np.testing.assert_array_equal(told.diverged, np.arange(N) == 1)
    assert told.facts["n_diverged"] == 1 and told.facts["n_diverged_samples"] == 3
