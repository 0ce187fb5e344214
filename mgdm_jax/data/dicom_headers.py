"""What the headers of a written DICOM series say.

Values by DICOM's keywords, for MR and CT Image Storage; empty where the standard wants
a field that nobody knows. pydicom is imported here, once it is needed.
"""

import datetime
from typing import Any, NamedTuple

import numpy as np

from mgdm_jax.data.geometry import Geometry

KEPT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "PatientPosition",
    "BodyPartExamined",
)
"""Attributes of a source that say whose grid it is."""

EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
    "PatientPosition",
    "SeriesNumber",
)
"""Attributes that must be there, if only without a value."""

PIXELS = {
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
}


class Series(NamedTuple):
    """What the header of a written series says.

    Attributes:
      modality: "MR" or "CT".
      units: RescaleType: "HU", or "US" for unspecified ones.
      description: SeriesDescription, the method; at most 64 characters are kept.
      version: of this package.
    """

    modality: str
    units: str
    description: str
    version: str


def identity(header: Any) -> dict[str, str]:
    """Return whose grid it is, of the header of one of its slices."""
    return {key: str(header[key].value) for key in KEPT if header.get(key)}


def common(grid: Geometry, series: Series) -> dict[str, Any]:
    """Return what all slices of a new series share, but for `scaling`."""
    from pydicom import uid

    now = datetime.datetime.now()
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    return {
        **dict.fromkeys(EMPTY),
        "StudyInstanceUID": uid.generate_uid(),
        "FrameOfReferenceUID": uid.generate_uid(),
        **grid.identity,
        **(_of_ct() if series.modality == "CT" else _of_mr()),
        **PIXELS,
        "SpecificCharacterSet": "ISO_IR 192",
        "Modality": series.modality,
        "Manufacturer": "mgdm_jax",
        "SoftwareVersions": series.version,
        "SeriesInstanceUID": uid.generate_uid(),
        "SeriesDescription": series.description[:64],
        "DerivationDescription": f"Reconstruction: {series.description}",
        "SeriesDate": date,
        "SeriesTime": time,
        "ContentDate": date,
        "ContentTime": time,
        "SliceThickness": decimal(grid.thickness_mm),
        "SpacingBetweenSlices": decimal(grid.spacing[2]),
        "PixelSpacing": _decimals(grid.spacing[[1, 0]]),
        "ImageOrientationPatient": _decimals(grid.directions[:, :2].T),
        "Rows": grid.shape[1],
        "Columns": grid.shape[2],
        "RescaleType": series.units,
    }


def _of_ct() -> dict[str, Any]:
    from pydicom import uid

    empty = dict.fromkeys(("KVP", "AcquisitionNumber"))
    kind = ["DERIVED", "SECONDARY", "AXIAL"]  # the standard wants a third value of CT
    return {**empty, "SOPClassUID": uid.CTImageStorage, "ImageType": kind}


def _of_mr() -> dict[str, Any]:
    from pydicom import uid

    return {
        **dict.fromkeys(("EchoTime", "EchoTrainLength", "ScanOptions")),
        "SOPClassUID": uid.MRImageStorage,
        "ImageType": ["DERIVED", "SECONDARY", "OTHER"],
        "ScanningSequence": "RM",  # research mode: nothing is known of it
        "SequenceVariant": "NONE",
        "MRAcquisitionType": "2D",
    }


def of_slice(grid: Geometry, n: int) -> dict[str, Any]:
    """Return what one slice says of itself, the n-th along `grid.normal`."""
    from pydicom import uid

    origin = grid.origin(n)
    return {
        "SOPInstanceUID": uid.generate_uid(),
        "InstanceNumber": n + 1,
        "ImagePositionPatient": _decimals(origin),
        "SliceLocation": decimal(origin @ grid.normal),
    }


def scaling(values: np.ndarray, levels: int) -> dict[str, Any]:
    """Return how integers 0 to `levels` stand for the range of the values.

    The numbers are rounded to what the file can hold, so that whoever rounds values to
    integers by them is off by nothing else.
    """
    low, high = float(values.min()), float(values.max())
    width = (high - low) or 1.0
    return {
        "RescaleIntercept": decimal(low),
        "RescaleSlope": decimal(width / levels),
        "WindowCenter": decimal(low + width / 2),
        "WindowWidth": decimal(width),
        "VOILUTFunction": "LINEAR_EXACT",  # the other kind has no widths below 1
    }


def decimal(value: Any) -> Any:
    """Return a number as DICOM writes it, in at most 16 characters."""
    from pydicom import valuerep

    return valuerep.DSfloat(valuerep.format_number_as_ds(float(value)))


def _decimals(values: np.ndarray) -> list[Any]:
    return [decimal(value) for value in values.ravel()]
