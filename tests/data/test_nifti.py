import itertools

import nibabel
import numpy as np
import pytest
import scanner_files
import SimpleITK as sitk

from mgdm_jax.data import nifti, volumes


def oriented(values, codes, tilt):
    """Return an image whose axes point to the codes, turned a little about an axis."""
    affine = nibabel.orientations.inv_ornt_aff(
        nibabel.orientations.axcodes2ornt(codes), (1, 1, 1)
    )
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    affine = turn @ affine @ np.diag([0.9, 1.1, 2.0, 1])
    affine[:3, 3] = (-20, 30, 5)
    return nibabel.Nifti1Image(values, affine)


CODES = ["".join(c) for c in itertools.product("LR", "AP", "SI")] + [
    "PSR",
    "SLA",
    "IRA",
]


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_slices_lie_as_simpleitk_orients_them(tmp_path, rng, codes, tilt):
    """LPS: columns to the left, rows to the back, slices to the head."""
    path = str(tmp_path / "volume.nii.gz")
    nibabel.save(oriented(rng.random((4, 5, 6), np.float32), tuple(codes), tilt), path)
    ours, spacing = nifti.read(path)
    independent = sitk.DICOMOrient(sitk.ReadImage(path), "LPS")
    np.testing.assert_array_equal(ours, sitk.GetArrayFromImage(independent))
    assert spacing == pytest.approx(independent.GetSpacing()[1::-1], rel=1e-5)


def test_slope_and_intercept_are_applied(tmp_path):
    image = nibabel.Nifti1Image(
        np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)
    )
    image.header.set_slope_inter(2.0, -5.0)
    nibabel.save(image, tmp_path / "v.nii")
    values, _ = nifti.read(str(tmp_path / "v.nii"))
    stored = sitk.GetArrayFromImage(
        sitk.DICOMOrient(sitk.ReadImage(str(tmp_path / "v.nii")), "LPS")
    )
    np.testing.assert_allclose(values, stored)
    assert values.min() == -5 and values.max() == 41


def test_volumes_are_found_below_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/x.nii.gz", "b.nii", "c.txt"):
        (tmp_path / name).touch()
    assert [v.name for v in nifti.find(tmp_path)] == ["a/x", "b"]


def test_volumes_of_one_subject_stay_together(tmp_path):
    subjects = {
        "sub-01/anat/sub-01_T1w.nii.gz": "sub-01",
        "sub-01/ses-2/anat/sub-01_ses-2_T2w.nii": "sub-01",
        "derivatives/sub-02_T1w.nii": "sub-02",
        "submarine.nii": "submarine",
        "patient/t1.nii": "patient",
        "patient/t2.nii": "patient",
        "lone/t1.nii": "lone/t1",
        "my.niis/a.nii": "my.niis",
        "my.niis/b.nii": "my.niis",
    }
    for name in subjects:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {v.paths[0]: v for v in nifti.find(tmp_path)}
    assert found[str(tmp_path / "my.niis/a.nii")].name == "my.niis/a"
    for name, subject in subjects.items():
        assert found[str(tmp_path / name)].subject == subject


def test_a_time_series_is_refused(tmp_path):
    path = scanner_files.write_nifti(tmp_path / "v.nii", np.zeros((3, 3, 3, 2), "f4"))
    with pytest.raises(ValueError, match="4 dimensions"):
        nifti.read(str(path))


@pytest.mark.parametrize(("modality", "expected"), [("ct", 0.75), ("mr", 1.0)])
def test_values_by_modality(tmp_path, modality, expected):
    values = np.full((16, 16, 3), -1024 if modality == "ct" else 0, np.float32)
    values[4:9, 4:9] = 512
    path = scanner_files.write_nifti(tmp_path / "v.nii", values)
    volume = volumes.Volume("v", "v", (str(path),))
    slices = nifti.load(volume, volumes.Target(20), modality)
    assert slices.images.shape == (3, 20, 20) and slices.images.dtype == np.float32
    assert slices.images.max() == expected
    assert slices.scale[0] == (2048 if modality == "ct" else 512)


@pytest.mark.parametrize("fit", ["auto", "crop", "resample"])
@pytest.mark.parametrize("modality", ["mr", "ct"])
def test_ct_is_resampled_unless_it_is_to_be_cropped(fit, modality):
    """Its field of view is the body: the middle of a chest is a heart."""
    values = np.full((1, 40, 40), -1000 if modality == "ct" else 0, np.float32)
    values[:, :20] = 800.0
    make = volumes.hounsfield if modality == "ct" else volumes.magnitudes
    more = ("mr",) if modality == "mr" else ()
    found = make(values, (1.5, 1.5), volumes.Target(20, fit), *more)
    resampled = fit == "resample" or (fit == "auto" and modality == "ct")
    assert found.images.shape == (1, 20, 20)
    assert np.max(found.pixel_mm) == pytest.approx(3.0 if resampled else 1.5)


@pytest.mark.parametrize("spacing", [(1, 3, 1), (3, 1, 1)])
@pytest.mark.parametrize("fit", ["crop", "resample"])
def test_pixels_become_square(tmp_path, spacing, fit):
    """A ball of a sagittal scan is as wide as it is high."""
    shape = [round(60 / mm) for mm in spacing]
    place = [(np.arange(n) + 0.5) * mm for n, mm in zip(shape, spacing, strict=True)]
    grid = np.meshgrid(*place, indexing="ij")
    values = sum((axis - 30) ** 2 for axis in grid) < 20**2
    affine = np.diag([*spacing, 1.0])
    path = scanner_files.write_nifti(
        tmp_path / "v.nii", values.astype(np.float32), affine
    )
    volume = volumes.Volume("v", "v", (str(path),))
    found = nifti.load(volume, volumes.Target(60, fit), "mr")
    inside = found.images[30] > 0.5
    assert found.pixel_mm == pytest.approx(1) and found.images.shape == (60, 60, 60)
    assert np.ptp(np.flatnonzero(inside.any(0))) == pytest.approx(39, abs=2)
    assert np.ptp(np.flatnonzero(inside.any(1))) == pytest.approx(39, abs=2)


@pytest.mark.parametrize(
    ("modality", "low", "high", "message"),
    [
        ("mr", -1024, 1000, r"negative, down to -1024: no magnitudes; CT wants"),
        ("mr", -2, 3, "negative, down to -2: no magnitudes"),
        ("ct", 0, 2024, "least value is 0: no Hounsfield units"),
        ("ct", 0, 1, "least value is 0: no Hounsfield units"),
    ],
)
def test_values_of_other_units_are_refused(tmp_path, modality, low, high, message):
    """CT as magnitudes loses the lungs; stored values as HU saturate."""
    values = np.full((8, 8, 2), low, np.float32)
    values[2:6, 2:6] = high
    path = scanner_files.write_nifti(tmp_path / "v.nii", values)
    volume = volumes.Volume("v", "v", (str(path),))
    with pytest.raises(ValueError, match=message):
        nifti.load(volume, volumes.Target(), modality)


def test_a_little_below_zero_is_noise_of_magnitudes(tmp_path):
    values = np.full((8, 8, 2), 100, np.float32)
    values[0, 0] = -3
    path = scanner_files.write_nifti(tmp_path / "v.nii", values)
    volume = volumes.Volume("v", "v", (str(path),))
    assert nifti.load(volume, volumes.Target(), "mr").images.min() == 0
