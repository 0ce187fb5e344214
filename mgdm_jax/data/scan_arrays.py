"""The arrays of a scan out of several files, or of an ISMRMRD file, checked."""

import dataclasses

import numpy as np

from mgdm_jax.data import arrays, checks, espirit, hdf5, ismrmrd_files
from mgdm_jax.operators import fourier


def mri_arrays(
    kspace: str,
    mask: str | None,
    maps: str | None,
    *,
    centered: bool = True,
    scale: float | None = None,
) -> hdf5.MriFile:
    """Return checked arrays of an MRI scan.

    Args:
      kspace: file of [n, (c,) h, w], or of one slice [(c,) h, w]; or an ISMRMRD file.
      mask: file of [h, w] or [w]; without one, where any k-space is not zero, or
        where the ISMRMRD file has lines.
      maps: file of [(n,) c, h, w]; with it k-space has coils. Without one those of
        k-space [n, c, h, w] are estimated by ESPIRiT.
      centered: whether DC lies at N//2.
      scale: image value that 1 stands for; estimated without one.

    Raises:
      ValueError: with one line, if the arrays cannot be used.
    """
    coils = None if maps is None else arrays.read(maps, "sensitivity_maps")
    lines = place = None
    if ismrmrd_files.is_scan(kspace):
        if not centered:
            raise ValueError(
                f"{kspace}: ISMRMRD says itself where DC is; leave out --nocentered."
            )
        values, lines, place = ismrmrd_files.read(kspace)
        values = values[:, 0] if coils is None and values.shape[1] == 1 else values
    else:
        values = arrays.read(kspace, "kspace")
        values = values[None] if values.ndim == (2 if coils is None else 3) else values
    if mask is not None:
        lines = arrays.read(mask, "mask")
    sampled = _sampled(values) if lines is None else lines
    scale = checks.scale(scale)
    contents = hdf5.MriFile(values, sampled, coils, None, centered, scale, place)
    hdf5.check_mri(contents)
    return contents if coils is not None or values.ndim == 3 else _with_maps(contents)


def _with_maps(contents: hdf5.MriFile) -> hdf5.MriFile:
    """Return the scan with the coil sensitivities its k-space itself shows."""
    kspace = contents.kspace
    sampled = np.broadcast_to(contents.mask, kspace.shape[-2:])
    if not contents.centered:
        kspace = np.asarray(fourier.corner_to_centred(kspace))
        sampled = fourier.corner_to_centred_mask(sampled)
    width = espirit.calibration_width(sampled)
    maps = [espirit.sensitivities(each * sampled, width) for each in kspace]
    return dataclasses.replace(contents, sensitivity_maps=np.stack(maps))


def _sampled(kspace: np.ndarray) -> np.ndarray:
    """Return the mask [h, w] that k-space [n, (c,) h, w] itself shows."""
    each = kspace != 0
    each = each.any(axis=1) if each.ndim == 4 else each
    if (each != each[:1]).any():
        raise ValueError(
            "the slices are not zero in the same places of k-space, so no one mask "
            "serves all; give --mask, or reconstruct the slices one at a time."
        )
    return each[0].astype(np.float32)


def ct_arrays(sinogram: str, angles: str, scale: float | None = None) -> hdf5.CtFile:
    """Return checked arrays of a CT scan.

    Args:
      sinogram: file of [n, v, d], or of one slice [v, d].
      angles: file of [v], degrees.
      scale: image value that 1 stands for; 1 without one.

    Raises:
      ValueError: with one line, if the arrays cannot be used.
    """
    values = arrays.read(sinogram, "sinogram")
    values = values[None] if values.ndim == 2 else values
    degrees = np.atleast_1d(np.squeeze(arrays.read(angles, "angles_deg")))
    contents = hdf5.CtFile(values, degrees, None, checks.scale(scale) or 1.0)
    hdf5.check_ct(contents)
    return contents
