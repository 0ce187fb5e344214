import numpy as np
import pydicom
import pytest
import scanner_files
import SimpleITK as sitk
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from mgdm_jax.data import dicom, dicom_files, lidc, volumes

AS_IT_IS = volumes.Target()


def independent(folder):
    """Return what GDCM makes of a folder's one series."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless]
)
def test_a_series_is_what_gdcm_reads(tmp_path, rng, syntax):
    slices, hounsfield = scanner_files.ct_series(rng)
    for ds in slices:
        if syntax == RLELossless:
            ds.compress(RLELossless)
        ds.file_meta.TransferSyntaxUID = syntax
    scanner_files.save_all(tmp_path, slices)
    (volume,) = dicom.find(tmp_path)
    values, header = dicom.read(volume)
    np.testing.assert_array_equal(values, hounsfield)
    np.testing.assert_array_equal(values, independent(tmp_path))
    assert header.ImagePositionPatient[2] == 0


def test_signed_pixels_with_a_slope(tmp_path, rng):
    slices, _ = scanner_files.ct_series(rng, n=2, size=16)
    for ds in slices:
        ds.PixelRepresentation = 1
        ds.PixelData = rng.integers(-900, 900, (16, 16)).astype("<i2").tobytes()
        ds.RescaleSlope, ds.RescaleIntercept = 0.5, 10
    scanner_files.save_all(tmp_path, slices)
    (volume,) = dicom.find(tmp_path)
    np.testing.assert_allclose(dicom.read(volume)[0], independent(tmp_path))


def test_series_are_told_apart(tmp_path, rng):
    one, _ = scanner_files.ct_series(rng, n=2, size=16, patient="A")
    two, _ = scanner_files.ct_series(rng, n=3, size=16, patient="B")
    scanner_files.save_all(tmp_path / "x", one)
    scanner_files.save_all(tmp_path / "x" / "y", two)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.dcm").touch()
    found = dicom.find(tmp_path)
    assert [(v.subject, len(v.paths)) for v in found] == [("A", 2), ("B", 3)]


def test_positions_are_even_for_both_readers_or_for_neither(tmp_path, rng):
    """Rounded to 0.1 mm they are; a drift within one is not."""
    for name, heights in (("round", (0, 1.2, 2.5, 3.8, 5)), ("off", (0, 1, 2.1, 3, 4))):
        slices, _ = scanner_files.ct_series(rng, n=5, size=16)
        for ds, z in zip(slices, heights, strict=True):
            ds.ImagePositionPatient = [0, 0, z]
        scanner_files.save_all(tmp_path / name, slices)
    (volume,) = dicom.find(tmp_path / "round")
    assert len(dicom.read(volume)[0]) == 5
    grid = dicom_files.read_geometry(tmp_path / "round")
    np.testing.assert_allclose(grid.spacing[2], 1.25)
    (volume,) = dicom.find(tmp_path / "off")
    for read in (dicom.read, lambda _: dicom_files.read_geometry(tmp_path / "off")):
        with pytest.raises(ValueError, match=r"not evenly spaced \(0\.9 to 1\.1 mm\)"):
            read(volume)


def test_localisers_are_left_out(tmp_path, rng):
    slices, hounsfield = scanner_files.ct_series(rng, n=3, size=16)
    localiser = scanner_files.ct_slice(
        np.zeros((8, 8)), position=(0, 0, 0), series=slices[0].SeriesInstanceUID
    )
    localiser.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scanner_files.save_all(tmp_path, [*slices, localiser])
    (volume,) = dicom.find(tmp_path)
    np.testing.assert_array_equal(dicom.read(volume)[0], hounsfield)


def spoil_gap(slices):
    del slices[1]


def spoil_twice(slices):
    slices[1].ImagePositionPatient = slices[0].ImagePositionPatient


def spoil_size(slices):
    slices[1].Rows, slices[1].Columns = 8, 32


def spoil_plane(slices):
    slices[1].ImageOrientationPatient = [0, 1, 0, 0, 0, 1]


def spoil_pixels(slices):
    del slices[1].PixelData


def spoil_position(slices):
    del slices[1].ImagePositionPatient


def spoil_frames(slices):
    slices[1].NumberOfFrames = 2


def spoil_modality(slices):
    for ds in slices:
        ds.Modality = "CR"


def spoil_axial(slices):
    for ds in slices:
        ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, z, y]


def spoil_all(slices):
    for ds in slices:
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_gap, r"not evenly spaced \(2.5 to 5 mm\); a slice may be missing"),
        (spoil_twice, "two of its slices lie in the same place"),
        (spoil_size, "differ in size"),
        (spoil_plane, "different planes"),
        (spoil_pixels, "has no PixelData"),
        (spoil_position, "has no ImagePositionPatient"),
        (spoil_frames, "multi-frame"),
        (spoil_modality, "modality is CR, not CT"),
        (spoil_axial, "not axial"),
        (spoil_all, "localisers only"),
    ],
)
def test_broken_series_are_refused(tmp_path, rng, spoil, message):
    slices, _ = scanner_files.ct_series(rng, n=5, size=16)
    spoil(slices)
    scanner_files.save_all(tmp_path, slices)
    (volume,) = lidc.find(tmp_path)
    with pytest.raises(ValueError, match=message):
        lidc.load(volume, AS_IT_IS)


def test_chests_at_full_size(tmp_path, rng):
    """512 to 320: constant regions keep their value, pixels grow by 1.6."""
    slices, _ = scanner_files.ct_series(rng, n=3)
    for ds in slices:
        pixels = np.full((512, 512), 1024, "<u2")  # water
        pixels[:100] = 0  # air
        pixels[-100:] = 4000  # metal, above the window
        ds.PixelData = pixels.tobytes()
    scanner_files.save_all(tmp_path, slices)
    (volume,) = lidc.find(tmp_path)
    found = lidc.load(volume, volumes.Target(lidc.SIZE, "resample"))
    assert found.images.shape == (3, 320, 320)
    assert found.pixel_mm == pytest.approx(0.7 * 1.6)
    np.testing.assert_allclose(found.images[:, 100:220], 0.5, atol=1e-6)
    np.testing.assert_allclose(found.images[:, :55], 0, atol=1e-6)
    np.testing.assert_allclose(found.images[:, -55:], 1, atol=1e-6)


@pytest.mark.parametrize(
    "orientation",
    [
        [-1, 0, 0, 0, -1, 0],
        [-1, 0, 0, 0, 1, 0],
        [0, 1, 0, 1, 0, 0],
        [0, -1, 0, 1, 0, 0],
        [0, -1, 0, -1, 0, 0],
    ],
)
def test_axial_slices_lie_as_simpleitk_orients_them(tmp_path, rng, orientation):
    """LPS: columns to the left, rows to the back, slices to the head."""
    slices, _ = scanner_files.ct_series(rng, n=3, size=16)
    for ds in slices:
        ds.ImageOrientationPatient = orientation
        ds.Rows, ds.Columns = 8, 32
    scanner_files.save_all(tmp_path, slices)
    (volume,) = lidc.find(tmp_path)
    found = lidc.load(volume, AS_IT_IS).images
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    independent = sitk.GetArrayFromImage(sitk.DICOMOrient(reader.Execute(), "LPS"))
    expected = np.clip((independent + 1024) / 2048, 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rescaling_that_is_missing_is_no_hounsfield_units(tmp_path, rng):
    slices, _ = scanner_files.ct_series(rng, n=2, size=16)
    for ds in slices:
        del ds.RescaleSlope, ds.RescaleIntercept
    scanner_files.save_all(tmp_path, slices)
    (volume,) = dicom.find(tmp_path)
    with pytest.raises(ValueError, match="no Hounsfield units"):
        dicom.load(volume, AS_IT_IS)


def test_pixels_become_square(tmp_path, rng):
    slices, _ = scanner_files.ct_series(rng, n=2, size=16)
    for ds in slices:
        ds.PixelSpacing = [0.7, 2.1]
    scanner_files.save_all(tmp_path, slices)
    (volume,) = dicom.find(tmp_path)
    found = dicom.load(volume, AS_IT_IS)
    assert found.images.shape == (2, 16, 48) and found.pixel_mm == pytest.approx(0.7)


def test_other_modalities_by_their_brightest(tmp_path, rng):
    slices, _ = scanner_files.ct_series(rng, n=2, size=16)
    for ds in slices:
        ds.Modality = "MR"
        del ds.RescaleSlope, ds.RescaleIntercept
    scanner_files.save_all(tmp_path, slices)
    (volume,) = dicom.find(tmp_path)
    found = dicom.load(volume, AS_IT_IS)
    assert found.label == ["mr", "mr"] and found.images.max() == 1
    assert found.scale[0] == max(ds.pixel_array.max() for ds in slices)


def test_headers_alone_are_read_to_find(tmp_path, rng, monkeypatch):
    slices, _ = scanner_files.ct_series(rng, n=2, size=16)
    scanner_files.save_all(tmp_path, slices)
    monkeypatch.setattr(pydicom.Dataset, "pixel_array", property(lambda _: 1 / 0))
    assert len(dicom.find(tmp_path)) == 1
