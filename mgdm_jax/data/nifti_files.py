"""NIfTI files: their geometry in, reconstructions out.

Voxel (i, j, k) of the file is [k, j, i] of the array: see `geometry`. Values are
float32 as they are given. nibabel is imported here, once it is needed.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mgdm_jax.data import blame, geometry
from mgdm_jax.data.geometry import Geometry

SUFFIXES = (".nii", ".nii.gz")


def library():
    """Return nibabel.

    Raises:
      ValueError: if it is not installed.
    """
    try:
        import nibabel
    except ImportError:
        raise ValueError(
            "nibabel reads and writes NIfTI, and it is not installed; run `pip install "
            "mgdm-jax[formats]`."
        ) from None
    return nibabel


def read_geometry(path: str | Path) -> Geometry:
    """Return where the voxels of a file lie, by its sform or else its qform.

    Raises:
      ValueError: with one line, if that cannot be known, or it is no single volume.
    """
    nibabel = library()
    with blame.reading(path):
        header: Any = nibabel.load(path).header
        shape = header.get_data_shape()
        forms = header.get_sform(coded=True), header.get_qform(coded=True)
        units = header.get_xyzt_units()[0]
    given = [(form, int(code)) for form, code in forms if code]
    shape = tuple(shape[:3]) + (1,) * (3 - len(shape)) + tuple(shape[3:])
    with blame.blaming(path):
        if any(length != 1 for length in shape[3:]):
            raise ValueError(f"has shape {shape}; give a file of one volume.")
        if not given:
            raise ValueError(
                "has neither sform nor qform: it does not say where it is."
            )
        if units not in ("mm", "unknown"):
            raise ValueError(f"has coordinates in {units}; mm are expected.")
        affine, code = given[0]
        lps = geometry.flipped(np.asarray(affine, float))
        thickness = float(np.linalg.norm(lps[:3, 2]))
        w, h, n = (int(length) for length in shape[:3])
        return Geometry(lps, (n, h, w), thickness, space=code)


def write(
    path: Path, images: np.ndarray, grid: Geometry | None, description: str
) -> None:
    """Write images as one volume.

    Args:
      path: ends in .nii or .nii.gz; not replaced safely, write aside.
      images: [n, h, w] real.
      grid: where they are; None leaves voxel indices for coordinates.
      description: up to 79 bytes of it are kept in the header.
    """
    nibabel = library()
    affine = np.eye(4) if grid is None else geometry.flipped(grid.affine)
    image = nibabel.Nifti1Image(images.T.astype(np.float32), affine)
    if grid is not None:
        image.set_sform(affine, grid.space)
        # A qform is a rotation: it cannot say what a tilted gantry's axes are.
        image.set_qform(affine, grid.space if grid.has_right_angles else 0)
        image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    nibabel.save(image, path)
