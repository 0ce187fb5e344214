"""DICOM files: the geometry of a series in, reconstructions out as a derived series.

A slice is a file; pixel (row, column) of slice n is [n, row, column] of the array, and
slices are sorted along rows × columns: see `geometry`. Values are rounded to 16 bits
over the range of the whole series, at most half of `RescaleSlope` off. Patient, study
and frame of reference are those of the grid; series and instances are new, and of image
type DERIVED. pydicom is imported here, once it is needed.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mgdm_jax.data import blame, dicom_headers, geometry
from mgdm_jax.data.dicom_headers import Series
from mgdm_jax.data.geometry import Geometry

NEEDED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Columns")

USED = (
    *NEEDED,
    *dicom_headers.KEPT,
    "Rows",
    "NumberOfFrames",
    "SeriesInstanceUID",
    "SliceThickness",
    "SpacingBetweenSlices",
)
"""All that is asked of a header."""

LEVELS = 65535
"""Steps of 16 bits."""


def check_installed() -> None:
    """Do nothing if pydicom is there.

    Raises:
      ValueError: if it is not installed.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError:
        raise ValueError(
            "pydicom reads and writes DICOM, and it is not installed; run `pip install "
            "mgdm-jax[formats]`."
        ) from None


def read_geometry(path: str | Path) -> Geometry:
    """Return where the pixels of a series lie, its slices sorted by position.

    Args:
      path: of a file of one slice, or of a folder of one series.

    Raises:
      ValueError: with one line, if that cannot be known.
    """
    headers = _headers(Path(path))
    with blame.blaming(path):
        _check_series(headers)
    with blame.reading(path):  # numbers that are none
        vectors = [_vectors(header) for header in headers]
        thickness = float(headers[0].get("SliceThickness") or 0)
        between = float(headers[0].get("SpacingBetweenSlices") or thickness or 1)
    origins, along_w, along_h = (np.array(each) for each in zip(*vectors, strict=True))
    with blame.blaming(path):
        spread = max(np.ptp(along_w, axis=0).max(), np.ptp(along_h, axis=0).max())
        if spread > geometry.OBLIQUE * np.linalg.norm(along_w[0]):
            raise ValueError("its slices differ in orientation or pixel spacing.")
        normal = geometry.normal(along_w[0], along_h[0])
        origins = origins[np.argsort(origins @ normal, kind="stable")]
        step = geometry.slice_step(origins, normal * between)
        return Geometry(
            geometry.affine(origins[0], along_w[0], along_h[0], step),
            (len(headers), int(headers[0].Rows), int(headers[0].Columns)),
            thickness or float(np.linalg.norm(step)),
            identity=dicom_headers.identity(headers[0]),
        )


def _headers(path: Path) -> list[Any]:
    """Return the headers of all images among the files, without their pixels."""
    check_installed()
    from pydicom import dcmread, misc

    files = (
        sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    )
    headers = []
    for file in files:
        with blame.reading(file):
            if not misc.is_dicom(file):
                continue  # a folder may hold a text beside its slices
            header = dcmread(file, stop_before_pixels=True)
            for keyword in USED:  # values are decoded, and refused, when asked for
                header.get(keyword)
        if "Rows" in header:  # a directory or a report has none
            headers.append(header)
    if not headers:
        raise ValueError(f"{path}: holds no DICOM image; check the path.")
    return headers


def _check_series(headers: list[Any]) -> None:
    """Raise a ValueError unless these are single slices of one series and size."""
    absent = [key for key in NEEDED for header in headers if header.get(key) is None]
    if any(int(header.get("NumberOfFrames") or 1) > 1 for header in headers):
        raise ValueError("is a multi-frame file; convert it to one file a slice.")
    if absent:
        raise ValueError(f"lacks {absent[0]}: it does not say where it is.")
    series = {str(header.get("SeriesInstanceUID", "")) for header in headers}
    if len(series) > 1:
        raise ValueError(f"holds {len(series)} series; give a folder of one.")
    sizes = {(header.Rows, header.Columns) for header in headers}
    if len(sizes) > 1:
        raise ValueError(f"holds slices of {len(sizes)} sizes; give a folder of one.")


def _vectors(header: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first pixel's centre and the vectors along w and h, [3] mm each."""
    along_w, along_h = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = np.array(header.PixelSpacing, float).reshape(2)
    origin = np.array(header.ImagePositionPatient, float).reshape(3)
    return origin, along_w * between_columns, along_h * between_rows


def check_grid(grid: Geometry) -> None:
    """Raise a ValueError if rows and columns are not at right angles."""
    cosine = grid.directions[:, 0] @ grid.directions[:, 1]
    if abs(cosine) > geometry.OBLIQUE:
        raise ValueError(
            "rows and columns of the grid are not at right angles, which DICOM cannot "
            "say; write .nii.gz instead."
        )


def write(path: Path, images: np.ndarray, grid: Geometry, series: Series) -> None:
    """Write a series: one file, or a new folder of 0001.dcm, 0002.dcm, ….

    Args:
      path: ends in .dcm for one slice; else the folder, which must not exist.
      images: [n, h, w] real, finite.
      grid: where they are.
      series: what the header says.
    """
    from pydicom import dataset, uid

    grid, images = geometry.right_handed(grid, images)
    is_file = path.suffix == ".dcm"
    if not is_file:
        path.mkdir()
    values = images.astype(np.float64)
    scaling = dicom_headers.scaling(values, LEVELS)
    slope, intercept = (
        float(scaling[f"Rescale{key}"]) for key in ("Slope", "Intercept")
    )
    levels = np.clip(np.rint((values - intercept) / slope), 0, LEVELS).astype("<u2")
    common = dicom_headers.common(grid, series) | scaling
    for i, pixels in enumerate(levels):
        made = dataset.Dataset()
        for keyword, value in (common | dicom_headers.of_slice(grid, i)).items():
            setattr(made, keyword, value)
        made.PixelData = pixels.tobytes()
        made.file_meta = dataset.FileMetaDataset()
        made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        target = path if is_file else path / f"{i + 1:04d}.dcm"
        made.save_as(target, enforce_file_format=True)
