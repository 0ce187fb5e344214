"""The user's own measurements in, reconstructions out, as HDF5.

MRI: `kspace` [n, (c,) h, w] complex with `mask` ([h, w] or [w], zeros and ones) and
optional `sensitivity_maps` ([n,] c, h, w) and `reference` [n, h, w]. k-space is
orthonormal with DC at N//2, as in fastMRI; file attribute `centered` = false says DC
lies in the corner.

CT: `sinogram` [n, v, d] with `angles_deg` [v] and optional `reference` [n, d, d]; the
geometry of scikit-image's `radon(circle=True)`, detectors one pixel apart.

File attribute `scale`: the factor that maps values of the file's images to operator
units is 1 / scale. Arrays are returned as they are in the file; orders and units are
the operators' business. Whatever is wrong with a file is one `ValueError` of one
line: what is wrong, what is expected, what to do.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

RADIANS_MAX, RADIANS_VIEWS = 3.2, 4
"""Angles up to this with more views than this are taken for radians."""


@dataclasses.dataclass(frozen=True)
class MriFile:
    """Checked contents of an MRI file.

    Attributes:
      kspace: [n, h, w] or [n, c, h, w] complex.
      mask: [h, w] or [w], zeros and ones, in the order of `kspace`.
      sensitivity_maps: [c, h, w] or [n, c, h, w], or None.
      reference: [n, h, w] real or complex, or None.
      centered: whether DC lies at N//2 rather than in the corner.
      scale: image value that operator unit 1 stands for; None if the file has none.
    """

    kspace: np.ndarray
    mask: np.ndarray
    sensitivity_maps: np.ndarray | None
    reference: np.ndarray | None
    centered: bool
    scale: float | None


@dataclasses.dataclass(frozen=True)
class CtFile:
    """Checked contents of a CT file.

    Attributes:
      sinogram: [n, v, d] real.
      angles_deg: [v] in degrees.
      reference: [n, d, d] real, or None.
      scale: image value that operator unit 1 stands for; 1 if the file has none.
    """

    sinogram: np.ndarray
    angles_deg: np.ndarray
    reference: np.ndarray | None
    scale: float


def read_mri(path: str | os.PathLike[str]) -> MriFile:
    """Read and check an MRI file.

    Raises:
      ValueError: with one line, if the file cannot be used.
    """
    names = ("kspace", "mask", "sensitivity_maps", "reference")
    found, attributes = _read(path, names, required=2)
    kspace, mask = found["kspace"], found["mask"]
    maps, reference = found["sensitivity_maps"], found["reference"]
    with _context(path):
        _check_kspace(kspace)
        _check_mask(mask, kspace)
        if maps is not None:
            _check_maps(maps, kspace.shape)
        if reference is not None:
            n, h, w = kspace.shape[0], *kspace.shape[-2:]
            _check_array("reference", reference, (n, h, w))
        return MriFile(
            kspace, mask, maps, reference, _centered(attributes), _scale(attributes)
        )


def read_ct(path: str | os.PathLike[str]) -> CtFile:
    """Read and check a CT file.

    Raises:
      ValueError: with one line, if the file cannot be used.
    """
    names = ("sinogram", "angles_deg", "reference")
    found, attributes = _read(path, names, required=2)
    sinogram, angles, reference = (found[name] for name in names)
    with _context(path):
        _check_sinogram(sinogram)
        n, v, d = sinogram.shape
        _check_angles(angles, v)
        if reference is not None:
            _check_real("reference", reference)
            _check_array("reference", reference, (n, d, d))
        return CtFile(sinogram, angles, reference, _scale(attributes) or 1.0)


def write_reconstructions(
    path: str | os.PathLike[str],
    images: Mapping[str, np.ndarray],
    attrs: Mapping[str, str | float | bool],
) -> None:
    """Write images as datasets, whole or not at all.

    The file is written aside and renamed, so that an interrupted run leaves neither a
    truncated file nor a damaged older one.

    Args:
      path: target; replaced if it exists. Its folder must exist.
      images: dataset name to array [n, ...].
      attrs: attributes of the file: scale, method, versions, and so on.

    Raises:
      ValueError: if there is no image.
    """
    if not images:
        raise ValueError("images must hold at least one array.")
    path = pathlib.Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with h5py.File(aside, "w") as file:
            for name, image in images.items():
                file.create_dataset(name, data=image, compression="gzip", shuffle=True)
            file.attrs.update(attrs)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


class _context:  # noqa: N801
    """Name the file in front of every ValueError raised inside."""
