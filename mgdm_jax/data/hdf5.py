"""The user's own measurements in, reconstructions out, as HDF5.

MRI: `kspace` [n, (c,) h, w] complex with `mask` ([h, w] or [w], zeros and ones) and
optional `sensitivity_maps` ([n,] c, h, w) and `reference` [n, h, w]. k-space is
orthonormal with DC at N//2, as in fastMRI; file attribute `centered` = false says DC
lies in the corner.

CT: `sinogram` [n, v, d] with `angles_deg` [v] and optional `reference` [n, d, d]; the
geometry of scikit-image's `radon(circle=True)`, detectors one pixel apart.

File attribute `scale`: the value in the file's units that 1 in operator units stands
for (image in operator units = image / scale). Arrays are returned as they are in the
file: orders and units are converted by whoever builds the operator. Whatever is wrong
with a file is one `ValueError` of one line: what is wrong, what is expected, what to
do.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from mgdm_jax.data import blame, checks, hdf5_writing, ismrmrd_files
from mgdm_jax.data.blame import Path
from mgdm_jax.data.geometry import Geometry


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
      geometry: where the slices are, if their file says.
      maps_estimated: whether the maps are no file's but ESPIRiT's of this k-space.
    """

    kspace: np.ndarray
    mask: np.ndarray
    sensitivity_maps: np.ndarray | None
    reference: np.ndarray | None
    centered: bool
    scale: float | None
    geometry: Geometry | None = None
    maps_estimated: bool = False


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


_SLICED = {"kspace": 3, "sinogram": 3, "reference": 3, "sensitivity_maps": 4}
"""Dataset -> the axes from which on its first are the slices."""


def read_mri(path: Path, n_images: int | None = None) -> MriFile:
    """Read and check an MRI file, or its first slices.

    Args:
      path: of the file.
      n_images: slices at most; the others are neither read nor checked.

    Raises:
      ValueError: with one line, if the file cannot be used.
    """
    arrays, attributes = _read(
        path, ("kspace", "mask"), ("sensitivity_maps", "reference"), n_images
    )
    with blame.blaming(path):
        contents = MriFile(
            **arrays,
            centered=checks.flag("centered", attributes.get("centered", True)),
            scale=checks.scale(attributes.get("scale")),
        )
        check_mri(contents)
    return contents


def check_mri(contents: MriFile) -> None:
    """Raise a ValueError of one line unless the arrays fit together."""
    checks.kspace(contents.kspace)
    checks.mask(contents.mask, contents.kspace)
    checks.centre(contents.kspace, contents.mask, centered=contents.centered)
    checks.sensitivity_maps(contents.sensitivity_maps, contents.kspace.shape)
    n, *_, h, w = contents.kspace.shape
    checks.reference(contents.reference, (n, h, w))


def read_ct(path: Path, n_images: int | None = None) -> CtFile:
    """Read and check a CT file, or its first slices; see `read_mri`.

    Raises:
      ValueError: with one line, if the file cannot be used.
    """
    arrays, attributes = _read(
        path, ("sinogram", "angles_deg"), ("reference",), n_images
    )
    with blame.blaming(path):
        contents = CtFile(**arrays, scale=checks.scale(attributes.get("scale")) or 1.0)
        check_ct(contents)
    return contents


def check_ct(contents: CtFile) -> None:
    """Raise a ValueError of one line unless the arrays fit together."""
    checks.sinogram(contents.sinogram)
    n, v, d = contents.sinogram.shape
    checks.angles(contents.angles_deg, v)
    checks.reference(contents.reference, (n, d, d))
    checks.real("reference", contents.reference)


def write(
    path: Path,
    images: Mapping[str, np.ndarray],
    attrs: Mapping[str, str | float | bool | np.ndarray],
) -> None:
    """Write images as datasets, whole or not at all.

    An interrupted run, or a full disk, leaves neither a truncated file nor a damaged
    older one.

    Args:
      path: target; replaced if it exists. Its folder must exist.
      images: dataset name to array [n, ...].
      attrs: attributes of the file: scale, method, versions, and so on.

    Raises:
      ValueError: if there is no image.
      OSError: if the file cannot be written.
    """
    if not images:
        raise ValueError("images must hold at least one array.")
    with hdf5_writing.in_memory(pathlib.Path(path)) as file:
        for name, image in images.items():
            file.create_dataset(name, data=image, compression="gzip", shuffle=True)
        file.attrs.update(attrs)


def contents(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return every dataset, `group/name` of one in a group, and the attributes.

    Raises:
      ValueError: if the file is absent or cannot be read.
    """
    if not os.path.exists(path):
        raise ValueError(f"{path}: there is no such file; check the path.")
    arrays = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with blame.reading(path), h5py.File(path, "r") as file:
        file.visititems(note)
        return arrays, dict(file.attrs)


def _read(
    path: Path,
    required: tuple[str, ...],
    optional: tuple[str, ...],
    n_images: int | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return datasets by name (None for an absent optional one) and attributes."""
    if not os.path.exists(path):
        raise ValueError(f"{path}: there is no such file; check the path.")
    with blame.reading(path), h5py.File(path, "r") as file:
        present = [k for k, v in file.items() if isinstance(v, h5py.Dataset)]
        attributes = dict(file.attrs)
    with blame.blaming(path):
        if not {*required} <= {*present} and ismrmrd_files.is_scan(path):
            raise ValueError(
                "is an ISMRMRD file, which `mgdm-jax reconstruct --kspace` reads."
            )
        checks.present(required, present)
    with blame.reading(path), h5py.File(path, "r") as file:
        found: dict[str, Any] = {
            name: file[name] for name in (*required, *optional) if name in present
        }
        sliced = [k for k, v in found.items() if v.ndim >= _SLICED.get(k, np.inf)]
        if len({len(found[name]) for name in sliced}) > 1:
            n_images = None  # read whole, for the checks to refuse
        arrays = dict.fromkeys(optional) | {
            name: np.asarray(values[:n_images] if name in sliced else values)
            for name, values in found.items()
        }
    return arrays, attributes
