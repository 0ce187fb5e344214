"""fastMRI knees and brains: raw k-space in HDF5, single- and multi-coil.

Facts (https://fastmri.med.nyu.edu, https://arxiv.org/abs/1811.08839): `kspace`
[slices, (coils,) readout, phase encodes] complex64, DC at N//2, orthonormal transform;
the readout is twice oversampled; `ismrmrd_header` is XML that names the size of the
image reconstructed, 320 by 320 for knees; the test files have a `mask` of the phase
encodes. Images lie as `reconstruction_rss` does.

Two ways to measurements. `load` gives images, from which `run` simulates k-space as the
paper did: A x with the x that is compared with, one coil, no noise but the image's
own. `measured` keeps the coils' own k-space of the same field of view: their noise, and
what sensitivities cannot explain, are in y and not in the reference, so that no method
reaches it exactly and numbers come out lower.
"""

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mgdm_jax.data import espirit, ismrmrd_files, prepared, resize, volumes
from mgdm_jax.operators import masks


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Which part of complete k-space is kept; see `masks.make_mask`.

    Attributes:
      kind: of the mask.
      acceleration: nominal R.
      seed: of its draws.
    """

    kind: str
    acceleration: float
    seed: int

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """Return zeros and ones [h, w], centred.

        Raises:
          ValueError: for an unknown kind or an acceleration out of range.
        """
        return masks.make_mask(self.kind, size, self.acceleration, self.seed)


def find(root: Path) -> list[volumes.Volume]:
    """Return the files with raw k-space below a folder; `patient_id` is the subject.

    Raises:
      ValueError: if ismrmrd, which reads their headers, is not installed.
    """
    ismrmrd_files.library()
    found = []
    for path in sorted(root.rglob("*.h5")):
        subject = _subject_of(path)
        if subject is not None:
            name = path.relative_to(root).with_suffix("").as_posix()
            found.append(volumes.Volume(subject, name, (str(path),)))
    return found


def _subject_of(path: Path) -> str | None:
    """Return whose raw k-space a file holds; None of another file."""
    try:
        with h5py.File(path, "r") as file:
            if "kspace" in file and "ismrmrd_header" in file:
                return str(file.attrs.get("patient_id", path.stem))
    except Exception:  # a damaged file raises whatever it likes
        return None
    return None


def load(volume: volumes.Volume, target: volumes.Target) -> prepared.Slices:
    """Return complex images: of several coils the minimum-variance combination.

    Σ_c S_c^* x_c with ESPIRiT sensitivities of Σ|S_c|² = 1 (MVUE), of one coil the
    image itself; cropped to the reconstruction size, divided by the volume's maximum.

    Args:
      volume: of `find`.
      target: size of the slices; by default the header's.

    Raises:
      ValueError: if the file is undersampled, or cannot be used.
    """
    kspace, mask, size, pixel_mm = read(volume.paths[0])
    if mask is not None:
        raise ValueError("it is undersampled, so there is no image to prepare.")
    coils = resize.crop_or_pad(to_image(kspace), size)
    if coils.ndim == 3:
        images = coils
    else:
        maps = (espirit.sensitivities(to_kspace(x)) for x in coils)
        images = np.stack([combine(x, m) for x, m in zip(coils, maps, strict=True)])
    scale = np.abs(images).max()
    if not scale > 0 or not np.isfinite(scale):
        raise ValueError("its k-space is zero, NaN or infinite.")
    images = target.of(images / scale)
    return prepared.Slices(
        images=images,
        label=["multicoil" if coils.ndim == 4 else "singlecoil"] * len(images),
        position=np.arange(len(images)),
        scale=np.full(len(images), scale, np.float32),
        pixel_mm=pixel_mm,
        units=prepared.COMPLEX,
    )


def measured(volume: volumes.Volume, sampling: Sampling | None) -> dict[str, Any]:
    """Return the coils' own k-space as `hdf5` wants it: a name to each array.

    Where the file has a mask of its own, that is used and only the readout's
    oversampling goes; columns stay as they were measured, so that images are wider
    than the reconstruction. Complete k-space is cropped to the reconstruction size in
    image space and sampled afterwards.

    Args:
      volume: of `find`.
      sampling: of complete k-space; None for files with their own mask.

    Raises:
      ValueError: if there is no mask, or there are two.
    """
    kspace, own, size, _ = read(volume.paths[0])
    if own is None and sampling is None:
        raise ValueError("it is complete and has no mask; give --acceleration.")
    if own is not None and sampling is not None:
        raise ValueError("it has its own mask; leave --acceleration out.")
    if own is not None:
        size = (size[0], kspace.shape[-1])
    coils = resize.crop_or_pad(to_image(kspace), size)
    mask = np.asarray(sampling.mask(size) if own is None else own, np.float32)  # type: ignore[union-attr]
    kspace = to_kspace(coils).astype(np.complex64) * mask
    arrays = {"kspace": kspace, "mask": mask}
    images = coils
    if coils.ndim == 4:
        width = espirit.calibration_width(np.broadcast_to(mask, size))
        maps = np.stack([espirit.sensitivities(y, width) for y in kspace])
        arrays["sensitivity_maps"] = maps
        images = np.stack([combine(x, m) for x, m in zip(coils, maps, strict=True)])
    if own is None:
        arrays["reference"] = images.astype(np.complex64)
    return arrays


def read(
    path: str,
) -> tuple[np.ndarray, np.ndarray | None, tuple[int, int], float]:
    """Return k-space [n, (c,) h, w], the file's own mask [w] or None, size, pixel's mm.

    The size is what the header reconstructs, without the readout's oversampling.

    Raises:
      ValueError: if the file holds something else.
    """
    with h5py.File(path, "r") as file:
        lacking = {"kspace", "ismrmrd_header"} - set(file)
        if lacking:
            raise ValueError(f"it has no {', '.join(sorted(lacking))}.")
        kspace: Any = file["kspace"]
        kspace = kspace[()]
        mask: Any = file["mask"][()] if "mask" in file else None  # type: ignore[index]
        text: Any = file["ismrmrd_header"][()]  # type: ignore[index]
    if kspace.ndim not in (3, 4) or not np.iscomplexobj(kspace):
        raise ValueError(f"its kspace is {kspace.dtype} of shape {kspace.shape}.")
    space = _recon_space(text)
    size = (space.matrixSize.x, space.matrixSize.y)
    if mask is not None and mask.shape != kspace.shape[-1:]:
        raise ValueError(f"its mask is {mask.shape}, its kspace {kspace.shape}.")
    return kspace, mask, size, space.fieldOfView_mm.x / size[0]


def _recon_space(text: Any) -> Any:
    """Return the matrix and the field of view that a header wants images of."""
    parse = ismrmrd_files.library().xsd.CreateFromDocument
    try:
        return parse(text).encoding[0].reconSpace
    except Exception:  # XML of another kind is a TypeError, of none the parser's own
        raise ValueError(
            "its ismrmrd_header cannot be read; expected the XML of an ISMRMRD header, "
            "with an encoding."
        ) from None


def to_image(kspace: np.ndarray) -> np.ndarray:
    """Return the images of centred orthonormal k-space, over the last two axes."""
    axes = (-2, -1)
    corner = np.fft.ifftshift(kspace, axes)
    return np.fft.fftshift(np.fft.ifft2(corner, norm="ortho"), axes)


def to_kspace(images: np.ndarray) -> np.ndarray:
    """Return centred orthonormal k-space of images, over the last two axes."""
    axes = (-2, -1)
    corner = np.fft.ifftshift(images, axes)
    return np.fft.fftshift(np.fft.fft2(corner, norm="ortho"), axes)


def combine(coils: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return Σ_c S_c^* x_c / Σ_c |S_c|² of coil images [c, h, w]; 0 where all S are."""
    energy = (np.abs(maps) ** 2).sum(0)
    return (maps.conj() * coils).sum(0) / np.where(energy > 0, energy, 1)
