"""How an ISMRMRD file was encoded, where its slices are, and whose they are.

`lines` are the library's acquisitions, `header` its parsed XML.
"""

from typing import Any, NamedTuple

import numpy as np

from mgdm_jax.data import geometry
from mgdm_jax.data.geometry import Geometry

ONE_OF = ("contrast", "phase", "repetition", "set")
"""Counters that make other images of the same slice."""

IDENTITY = {
    "subjectInformation": {
        "PatientName": "patientName",
        "PatientID": "patientID",
        "PatientBirthDate": "patientBirthdate",
        "PatientSex": "patientGender",
    },
    "studyInformation": {
        "StudyInstanceUID": "studyInstanceUID",
        "StudyID": "studyID",
        "StudyDate": "studyDate",
        "StudyTime": "studyTime",
        "StudyDescription": "studyDescription",
        "AccessionNumber": "accessionNumber",
        "ReferringPhysicianName": "referringPhysicianName",
        "BodyPartExamined": "bodyPartExamined",
    },
    "measurementInformation": {
        "PatientPosition": "patientPosition",
        "FrameOfReferenceUID": "frameOfReferenceUID",
    },
}
"""Part of the header -> DICOM's keyword -> its name there."""


class Encoding(NamedTuple):
    """How the lines of a slice were encoded.

    Attributes:
      n_read: samples of a line.
      n_kept: of them without oversampling.
      n_phase: lines, measured or not.
      centre: number of the line through the centre of k-space.
      pixel_mm: along readout and phase encoding.
      thickness_mm: of a slice.
    """

    n_read: int
    n_kept: int
    n_phase: int
    centre: int
    pixel_mm: tuple[float, float]
    thickness_mm: float


def encoding_of(header: Any, lines: list[Any]) -> Encoding:
    """Return how the lines were encoded.

    Raises:
      ValueError: if that is not by Cartesian lines of two-dimensional slices.
    """
    used = {line.encoding_space_ref for line in lines}
    if len(used) > 1 or max(used) >= len(header.encoding):
        raise ValueError(
            f"has lines of encodings {sorted(used)}, {len(header.encoding)} are in its "
            "header; write those of one to a file of its own."
        )
    encoding = header.encoding[used.pop()]
    if encoding.trajectory.value != "cartesian":
        raise ValueError(
            f"is {encoding.trajectory.value}; only Cartesian scans are read."
        )
    encoded, wanted = encoding.encodedSpace, encoding.reconSpace
    matrix, fov = encoded.matrixSize, encoded.fieldOfView_mm
    if matrix.z > 1 or any(line.idx.kspace_encode_step_2 for line in lines):
        raise ValueError("is encoded in three dimensions; only 2-D slices are read.")
    lengths = fov.x, fov.y, fov.z, wanted.fieldOfView_mm.x
    if min(lengths) <= 0 or min(matrix.x, matrix.y) < 1:
        raise ValueError("has an encoded matrix or field of view of zero.")
    # By the fields of view: a recon matrix may also be larger, zero-filled.
    n_kept = min(matrix.x, round(matrix.x * wanted.fieldOfView_mm.x / fov.x))
    if wanted.matrixSize.x < n_kept - 1:
        raise ValueError(
            f"encodes {matrix.x} samples over {fov.x:g} mm but wants "
            f"{wanted.matrixSize.x} over {wanted.fieldOfView_mm.x:g} mm, other pixels; "
            "correct the fields of view in its header."
        )
    limits = encoding.encodingLimits
    first = limits.kspace_encoding_step_1 if limits else None
    # The schema's own default is 0, at an edge of k-space: nobody said.
    centre = (first.center if first else 0) or matrix.y // 2
    pixel_mm = fov.x / matrix.x, fov.y / matrix.y
    return Encoding(matrix.x, n_kept, matrix.y, centre, pixel_mm, fov.z)


def check_one_image(lines: list[Any]) -> None:
    """Raise a ValueError if a slice has several images, of echoes say."""
    for name in ONE_OF:
        found = {getattr(line.idx, name) for line in lines}
        if len(found) > 1:
            raise ValueError(
                f"has {len(found)} of `{name}`, each with images of its own; write "
                "one to a file."
            )


def geometry_of(
    slices: list[list[Any]], encoding: Encoding, header: Any
) -> Geometry | None:
    """Return where the slices are, or None if the header does not say."""
    heads = [lines[0] for lines in slices]
    names = ("read_dir", "phase_dir", "slice_dir")
    read, phase, across = (_unit(getattr(heads[0], name)[:]) for name in names)
    along_h, along_w = read * encoding.pixel_mm[0], phase * encoding.pixel_mm[1]
    h, w = encoding.n_kept, encoding.n_phase
    # `position` is where the phase of every frequency is zero: voxel N//2.
    corner = -(h // 2) * along_h - (w // 2) * along_w
    origins = np.array([head.position[:] for head in heads], float) + corner
    turned = [np.ptp([getattr(x, name)[:] for x in heads], axis=0) for name in names]
    if np.max(turned) > geometry.OBLIQUE:  # planes of a localizer, which are no volume
        return None
    try:
        step = geometry.slice_step(origins, across * encoding.thickness_mm)
        return Geometry(
            geometry.affine(origins[0], along_w, along_h, step),
            (len(slices), h, w),
            encoding.thickness_mm,
            identity=identity(header),
        )
    except ValueError:  # simulated scans leave positions and directions zero
        return None


def _unit(direction: list[float]) -> np.ndarray:
    """Return it with length 1, which single precision misses, or zeros as they are."""
    given = np.array(direction, float)
    return given / (np.linalg.norm(given) or 1)


def identity(header: Any) -> dict[str, str]:
    """Return patient, study and frame of reference as DICOM's attributes."""
    found = {}
    for part, names in IDENTITY.items():
        for keyword, name in names.items():
            value = getattr(getattr(header, part, None), name, None)
            if value is not None:
                text = str(getattr(value, "value", value))
                if keyword.endswith("Date"):
                    text = text.replace("-", "")[:8]
                if keyword.endswith("Time"):
                    text = text.replace(":", "")[:6]
                found[keyword] = text
    return found
