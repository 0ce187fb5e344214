"""Volumes of DICOM series, by pydicom, sorted by position in the patient."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.processing import apply_modality_lut

from mgdm_jax.data import geometry, prepared, volumes

COSINE_TOLERANCE = 1e-3
"""Largest difference of direction cosines within a series, and from axial."""

_NEEDED = (
    "PixelData",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
)


def find(root: Path) -> list[volumes.Volume]:
    """Return the series below a folder, by SeriesInstanceUID; PatientID is the subject.

    Other files than DICOM's are passed over, and so are objects without pixels (a
    DICOMDIR, reports, annotations).
    """
    series: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        who = _series_of(path)
        if who is not None:
            series[who].append(str(path))
    return [
        volumes.Volume(subject, uid, tuple(paths))
        for (subject, uid), paths in sorted(series.items())
    ]


def _series_of(path: Path) -> tuple[str, str] | None:
    """Return subject and series of an image; None of another file."""
    tags = ["PatientID", "SeriesInstanceUID", "Rows"]
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
        subject = str(header.get("PatientID", "") or "unknown")
        uid = str(header.get("SeriesInstanceUID", path))
    except Exception:  # a damaged header raises whatever it likes
        return None
    return (subject, uid) if "Rows" in header else None


def read(volume: volumes.Volume) -> tuple[np.ndarray, pydicom.Dataset]:
    """Return a series as [n, h, w] in the values it stands for, and its first header.

    Slices come in the order of their position along the normal of the image plane (for
    axial ones from feet to head), rows and columns as stored; the modality's rescaling
    is applied, so that CT is in Hounsfield units. Localisers are left out.

    Raises:
      ValueError: if no series of even distances can be made of the files.
    """
    slices = [pydicom.dcmread(path) for path in volume.paths]
    slices = [s for s in slices if "LOCALIZER" not in s.get("ImageType", ())]
    if not slices:
        raise ValueError("it holds localisers only.")
    _check_alike(slices)
    row, column = np.reshape(np.array(slices[0].ImageOrientationPatient, float), (2, 3))
    origins = np.array([s.ImagePositionPatient for s in slices], float)
    normal = geometry.normal(row, column)
    order = np.argsort(origins @ normal, kind="stable")
    geometry.slice_step(origins[order], lone=normal)
    values = np.stack([_values(slices[i]) for i in order])
    return values, slices[order[0]]


def load(
    volume: volumes.Volume, target: volumes.Target, *, only_axial_ct: bool = False
) -> prepared.Slices:
    """Return the slices of one series: CT by its window, all else by its brightest.

    Axial ones lie as all volumes do, others as they are stored.

    Args:
      volume: of `find`.
      target: size of the slices.
      only_axial_ct: refuse other modalities and planes, as LIDC-IDRI wants.

    Raises:
      ValueError: if the series cannot be used.
    """
    values, header = read(volume)
    axes = np.reshape(np.array(header.ImageOrientationPatient, float), (2, 3))
    if only_axial_ct:
        _check_axial_ct(header, axes)
    height, width = (float(mm) for mm in header.PixelSpacing)
    values, spacing = _turned(values, (height, width), axes)
    modality = str(header.get("Modality", ""))
    if modality == "CT":
        return volumes.hounsfield(values, spacing, target)
    label = modality.lower() or "unknown"
    return volumes.magnitudes(values, spacing, target, label)


def _turned(
    values: np.ndarray, spacing: tuple[float, float], axes: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """Return nearly axial slices as all volumes lie, and height and width of a pixel.

    Args:
      values: [n, h, w]; of other planes they are returned as they are.
      spacing: height and width of a pixel.
      axes: [2, 3], where w and h run in the patient, as `ImageOrientationPatient`.
    """
    along_w, along_h = np.abs(axes).argmax(1)
    if {along_w, along_h} != {0, 1}:
        return values, spacing
    if np.cross(*axes)[2] < 0:
        values = values[::-1]
    if along_w == 1:
        values, axes = values.swapaxes(1, 2), axes[::-1]
        spacing = (spacing[1], spacing[0])
    flips = [slice(None, None, -1 if axes[i, i] < 0 else 1) for i in (1, 0)]
    return values[:, flips[0], flips[1]], spacing


def _check_axial_ct(header: pydicom.Dataset, axes: np.ndarray) -> None:
    if header.get("Modality") != "CT":
        raise ValueError(f"its modality is {header.get('Modality')}, not CT.")
    tilt = max(np.sort(np.abs(axes))[:, 1].max(), np.abs(axes[:, 2]).max())
    if tilt > COSINE_TOLERANCE:
        raise ValueError("its slices are not axial.")


def _check_alike(slices: list[pydicom.Dataset]) -> None:
    """Refuse slices that make no stack."""
    for s in slices:
        if s.get("NumberOfFrames", 1) > 1:
            raise ValueError("it is multi-frame; split it into single images.")
        lacking = [name for name in _NEEDED if name not in s]
        if lacking:
            raise ValueError(f"a slice has no {', '.join(lacking)}.")
    if len({(s.Rows, s.Columns) for s in slices}) > 1:
        raise ValueError("its slices differ in size.")
    cosines = np.array([s.ImageOrientationPatient for s in slices], float)
    if np.ptp(cosines, axis=0).max() > COSINE_TOLERANCE:
        raise ValueError("its slices lie in different planes.")


def _values(s: pydicom.Dataset) -> np.ndarray:
    """Return one image in the units its rescaling gives."""
    try:
        pixels = s.pixel_array
    except (AttributeError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"its pixels cannot be decoded: {error}") from None
    if pixels.ndim != 2:
        raise ValueError("its images are in colour.")
    return np.asarray(apply_modality_lut(pixels, s), np.float32)
