"""Series through DICOM and back, as pydicom and SimpleITK see them."""

import sys

import grids
import numpy as np
import pydicom
import pytest
from pydicom import dataset, uid

from mgdm_jax.data import dicom_files, geometry
from mgdm_jax.data.geometry import Geometry

AFFINE = geometry.flipped(grids.oblique_ras())
SERIES = dicom_files.Series("MR", "US", "mgdm, mean of 8", "1.0")
PATIENT = {"PatientName": "Müller^Jörg", "PatientID": "17", "PatientSex": "O"}


def write_source(folder, affine=AFFINE, shape=grids.SHAPE, **changes):
    """Write a CT series by pydicom alone, files named against the slices' order."""
    folder.mkdir(exist_ok=True)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = affine[:3, :2] / lengths[:2]
    common = {
        **PATIENT,
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": uid.CTImageStorage,
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "FrameOfReferenceUID": "1.2.3.5",
        "Modality": "CT",
        "ImageOrientationPatient": [f"{x:.10f}" for x in cosines.T.ravel()],
        "PixelSpacing": [f"{lengths[1]:.8f}", f"{lengths[0]:.8f}"],
        "SliceThickness": "2.0",
        "Rows": shape[1],
        "Columns": shape[2],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": np.zeros(shape[1:], "<u2").tobytes(),
    }
    for n in range(shape[0]):
        origin = affine[:3, 3] + n * affine[:3, 2]
        made = dataset.Dataset()
        made.ImagePositionPatient = [f"{x:.8f}" for x in origin]
        made.SOPInstanceUID = f"1.2.3.6.{n + 1}"
        for keyword, value in (common | changes).items():
            if value is not None:
                setattr(made, keyword, value)
        made.file_meta = dataset.FileMetaDataset()
        made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        made.save_as(folder / f"{(n * 7 + 5) % 11}.dcm", enforce_file_format=True)
    return folder


def grid(affine=AFFINE, shape=grids.SHAPE, **identity):
    return Geometry(affine, shape, 2.0, identity=identity)


def read(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def test_a_series_is_where_simpleitk_has_it(tmp_path):
    folder = write_source(tmp_path / "source")
    (folder / "notes.txt").write_text("of the scan")
    got = dicom_files.read_geometry(folder)
    image = grids.sitk_image(folder / "5.dcm")
    np.testing.assert_allclose(got.affine, AFFINE, atol=1e-6)
    want = image.TransformIndexToPhysicalPoint((4, 1, 0))
    np.testing.assert_allclose(got.affine @ [4, 1, 0, 1], [*want, 1], atol=1e-5)
    assert got.shape == grids.SHAPE and got.thickness_mm == 2.0
    assert got.identity["PatientName"] == PATIENT["PatientName"]


def test_slices_are_sorted_along_rows_times_columns(tmp_path):
    down = geometry.flipped(grids.oblique_ras(flip=True))
    got = dicom_files.read_geometry(write_source(tmp_path / "a", down))
    step = got.affine[:3, 2]
    assert step @ np.cross(got.affine[:3, 0], got.affine[:3, 1]) > 0
    np.testing.assert_allclose(step, -down[:3, 2], atol=1e-6)
    np.testing.assert_allclose(got.origin(2), down[:3, 3], atol=1e-6)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("modality", "scale"), [("MR", 1e-6), ("CT", 1000.0)])
def test_written_values_lie_where_they_were(flip, modality, scale, tmp_path):
    affine = geometry.flipped(grids.oblique_ras(flip=flip))
    images = grids.values() * np.float32(scale)
    series = SERIES._replace(modality=modality)
    dicom_files.write(tmp_path / "out", images, grid(affine), series)
    slices = read(tmp_path / "out")
    half = float(slices[0].RescaleSlope) / 2
    assert half < np.ptp(images) / 2**16
    image = grids.sitk_image(tmp_path / "out")
    found = grids.at(image, grids.points(affine))
    np.testing.assert_allclose(found, images, rtol=0, atol=half * 1.001)
    for n, one in enumerate(slices[:: -1 if flip else 1]):
        stored = one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept)
        np.testing.assert_allclose(stored, images[n], rtol=0, atol=half * 1.0001)


def test_headers_say_where_the_slices_are(tmp_path):
    dicom_files.write(tmp_path / "out", grids.values(), grid(), SERIES)
    slices = read(tmp_path / "out")
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "0001.dcm",
        "0002.dcm",
        "0003.dcm",
    ]
    for n, one in enumerate(slices):
        origin = AFFINE[:3, 3] + n * AFFINE[:3, 2]
        np.testing.assert_allclose(one.ImagePositionPatient, origin, atol=1e-6)
        assert one.InstanceNumber == n + 1 and one.SliceThickness == 2
        cosines = np.reshape(one.ImageOrientationPatient, (2, 3))
        np.testing.assert_allclose(cosines[0] * 0.8, AFFINE[:3, 0], atol=1e-6)
        np.testing.assert_allclose(cosines[1] * 1.1, AFFINE[:3, 1], atol=1e-6)
        np.testing.assert_allclose(one.PixelSpacing, [1.1, 0.8])
        assert (one.Rows, one.Columns) == grids.SHAPE[1:]
    assert np.all(np.diff([float(one.SliceLocation) for one in slices]) > 0)


def test_a_series_is_derived_of_its_source(tmp_path):
    source = dicom_files.read_geometry(write_source(tmp_path / "source"))
    dicom_files.write(tmp_path / "out", grids.values(), source, SERIES)
    slices, before = read(tmp_path / "out"), read(tmp_path / "source")
    for keyword in (*PATIENT, "StudyInstanceUID", "FrameOfReferenceUID"):
        assert {one[keyword].value for one in slices} == {before[0][keyword].value}
    assert len({one.SeriesInstanceUID for one in slices}) == 1
    assert slices[0].SeriesInstanceUID != before[0].SeriesInstanceUID
    assert len({one.SOPInstanceUID for one in slices + before}) == 6
    for one in slices:
        assert one.ImageType[:2] == ["DERIVED", "SECONDARY"]
        assert one.SeriesDescription == "mgdm, mean of 8"
        assert (one.Modality, one.RescaleType) == ("MR", "US")
        assert one.SOPClassUID == uid.MRImageStorage
        assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID


def test_a_grid_of_nobody_is_a_study_of_its_own(tmp_path):
    for name in ("a", "b"):
        dicom_files.write(tmp_path / name, grids.values(), grid(), SERIES)
    first, second = read(tmp_path / "a")[0], read(tmp_path / "b")[0]
    assert first.StudyInstanceUID != second.StudyInstanceUID
    assert not first.PatientName and first.PatientID == ""


def test_one_slice_is_one_file(tmp_path):
    affine, images = AFFINE.copy(), grids.values()[:1]
    dicom_files.write(tmp_path / "a.dcm", images, grid(affine, (1, 4, 5)), SERIES)
    found = grids.at(
        grids.sitk_image(tmp_path / "a.dcm")[:, :, 0:1],
        grids.points(affine, (1, 4, 5)),
    )
    step = float(pydicom.dcmread(tmp_path / "a.dcm").RescaleSlope)
    np.testing.assert_allclose(found, images, rtol=0, atol=step)
    again = dicom_files.read_geometry(tmp_path / "a.dcm")
    np.testing.assert_allclose(again.affine, affine, atol=1e-6)


def test_a_constant_image_is_exact(tmp_path):
    images = np.full(grids.SHAPE, 0.25, np.float32)
    dicom_files.write(tmp_path / "out", images, grid(), SERIES)
    image = grids.sitk_image(tmp_path / "out")
    np.testing.assert_array_equal(grids.at(image, grids.points(AFFINE)), images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ImagePositionPatient": ["1", "2", "3"]}, "same place"),
        ({"ImageOrientationPatient": None}, "lacks ImageOrientationPatient"),
        ({"NumberOfFrames": 2}, "multi-frame"),
        ({"PixelSpacing": ["0", "1"]}, "span no plane"),
    ],
)
def test_a_series_without_a_grid_is_refused(changes, message, tmp_path):
    folder = write_source(tmp_path / "a", **changes)
    with pytest.raises(ValueError, match=message) as caught:
        dicom_files.read_geometry(folder)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SeriesInstanceUID": "1.2.9"}, "holds 2 series"),
        ({"Rows": 9}, "slices of 2 sizes"),
        ({"ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"]}, "differ in"),
        ({"ImagePositionPatient": ["50", "60", "99"]}, "not evenly spaced"),
        ({"ImagePositionPatient": ["1", "2"]}, "not readable"),
    ],
)
def test_slices_that_are_no_volume_are_refused(changes, message, tmp_path):
    folder = write_source(tmp_path / "a")
    one = pydicom.dcmread(folder / "1.dcm")
    for keyword, value in changes.items():
        setattr(one, keyword, value)
    one.save_as(folder / "1.dcm")
    with pytest.raises(ValueError, match=message):
        dicom_files.read_geometry(folder)


def test_what_is_no_dicom_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("no DICOM" * 100)
    for path in (tmp_path / "a.txt", tmp_path / "absent.dcm", tmp_path):
        with pytest.raises(ValueError, match=r"readable|no DICOM image") as caught:
            dicom_files.read_geometry(path)
        assert str(path) in str(caught.value)


def test_skewed_rows_are_refused():
    affine = AFFINE.copy()
    affine[:3, 1] += 0.2 * affine[:3, 0]
    with pytest.raises(ValueError, match=r"write \.nii\.gz"):
        dicom_files.check_grid(grid(affine))
    dicom_files.check_grid(grid())


def test_without_pydicom_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ValueError, match=r"pip install mgdm-jax\[formats\]"):
        dicom_files.read_geometry(tmp_path)
