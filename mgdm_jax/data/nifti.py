"""Volumes of NIfTI files, by nibabel, as axial slices."""

import collections
import re
from pathlib import Path

import nibabel
import numpy as np

from mgdm_jax.data import prepared, volumes

SUFFIXES = (".nii", ".nii.gz")

_BIDS = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)")


def find(root: Path) -> list[volumes.Volume]:
    """Return every NIfTI file below a folder, named by its path there.

    The subject is BIDS's `sub-…` in the path; without one the folder, if it holds
    several files and is not the root; else the file.
    """
    files = sorted(p for p in root.rglob("*") if p.name.endswith(SUFFIXES))
    shared = collections.Counter(p.parent for p in files)
    found = []
    for path in files:
        place = path.relative_to(root)
        name = place.as_posix().removesuffix(".gz").removesuffix(".nii")
        named = _BIDS.search(name)
        is_in_folder = shared[path.parent] > 1 and path.parent != root
        alone = place.parent.as_posix() if is_in_folder else name
        found.append(volumes.Volume(named[1] if named else alone, name, (str(path),)))
    return found


def read(path: str) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the volume [n, h, w] float32, slices from feet to head, and mm of a pixel.

    Rows run from anterior to posterior, columns from the patient's right to left: the
    axes are turned to the nearest of these, no value is interpolated. Slope and
    intercept of the header are applied. A pixel has a height and a width.

    Raises:
      ValueError: if the file has not three dimensions.
    """
    image = nibabel.load(path)
    shape = image.shape  # type: ignore[attr-defined]
    if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
        raise ValueError(
            f"{path} has {len(shape)} dimensions, {shape}; give one volume a file."
        )
    canonical = nibabel.as_closest_canonical(image)  # to right, anterior, head
    values = np.asarray(canonical.dataobj, np.float32).reshape(canonical.shape[:3])
    width, height = (float(mm) for mm in canonical.header.get_zooms()[:2])
    return values[::-1, ::-1].transpose(2, 1, 0), (height, width)


def load(
    volume: volumes.Volume, target: volumes.Target, modality: str
) -> prepared.Slices:
    """Return the slices of one file.

    Args:
      volume: of `find`.
      target: size of the slices.
      modality: "ct" for Hounsfield units, "mr" for magnitudes.

    Raises:
      ValueError: if the file cannot be used.
    """
    values, spacing = read(volume.paths[0])
    if modality == "ct":
        return volumes.hounsfield(values, spacing, target)
    return volumes.magnitudes(values, spacing, target, label="mr")
