"""The arrays of a scan out of one file or several, or of an ISMRMRD file, checked."""

import dataclasses

import numpy as np

from mgdm_jax.data import arrays, blame, checks, espirit, hdf5, ismrmrd_files
from mgdm_jax.operators import fourier


def mri_arrays(
    kspace: str,
    mask: str | None,
    maps: str | None,
    *,
    centered: bool | None = None,
    scale: float | None = None,
) -> hdf5.MriFile:
    """Return checked arrays of an MRI scan.

    What an argument of None leaves open is looked for in the file of k-space first,
    by its name in `hdf5.read_mri`.

    Args:
      kspace: file of [n, (c,) h, w], or of one slice [(c,) h, w]; or an ISMRMRD file.
      mask: file of [h, w], [w] or [1, w], or [h, 1]; without one, where any k-space is
        not zero, or where the ISMRMRD file has lines.
      maps: file of [(n,) c, h, w]; with it k-space has coils. Without one those of
        k-space [n, c, h, w] are estimated by ESPIRiT.
      centered: whether DC lies at N//2, which it does if nobody says.
      scale: image value that 1 stands for; estimated without one.

    Raises:
      ValueError: with one line, if the arrays cannot be used.
    """
    sampled = place = None
    if ismrmrd_files.is_scan(kspace):
        if centered is False:
            raise ValueError(
                f"{kspace}: ISMRMRD says itself where DC is; leave out --nocentered."
            )
        values, sampled, place = ismrmrd_files.read(kspace)
    else:
        values = arrays.read(kspace, "kspace")
        with blame.blaming(kspace):
            centered, scale = _noted(arrays.attributes(kspace), centered, scale)
    coils = _given_or_beside(maps, kspace, "kspace", "sensitivity_maps")
    coils = coils[0] if coils is not None and coils.shape[:-3] == (1,) else coils
    given = _given_or_beside(mask, kspace, "kspace", "mask")
    sampled = sampled if given is None else given
    values = _with_axes(values, has_coils=coils is not None)
    sampled = _sampled(values) if sampled is None else _spread(sampled, values)
    contents = hdf5.MriFile(
        values, sampled, coils, None, centered is not False, checks.scale(scale), place
    )
    hdf5.check_mri(contents)
    if coils is not None or values.ndim == 3:
        return contents
    return _with_maps(contents, kspace)


def _noted(
    attributes: dict, centered: bool | None, scale: float | None
) -> tuple[bool, float | None]:
    """Return what is given, else what the file's attributes say."""
    if centered is None:
        centered = checks.flag("centered", attributes.get("centered", True))
    return centered, checks.scale(attributes.get("scale") if scale is None else scale)


def _given_or_beside(
    given: str | None, source: str, name: str, other: str
) -> np.ndarray | None:
    """Return the array `other` of a file given for it, else of the file of `name`."""
    if given is not None:
        return arrays.read(given, other)
    return arrays.beside(source, name, other)


def _with_axes(kspace: np.ndarray, *, has_coils: bool) -> np.ndarray:
    """Return [n, h, w], or with coils [n, c, h, w], of what may lack an axis."""
    if not has_coils and kspace.ndim == 4 and kspace.shape[1] == 1:
        return kspace[:, 0]
    return kspace[None] if kspace.ndim == (3 if has_coils else 2) else kspace


def _with_maps(contents: hdf5.MriFile, source: str) -> hdf5.MriFile:
    """Return the scan with the coil sensitivities its k-space itself shows.

    Raises:
      ValueError: naming the source, if its mask is complete nowhere.
    """
    kspace = contents.kspace
    sampled = np.broadcast_to(contents.mask, kspace.shape[-2:])
    if not contents.centered:
        kspace = np.asarray(fourier.corner_to_centred(kspace))
        sampled = fourier.corner_to_centred_mask(sampled)
    try:
        width = espirit.calibration_width(sampled)
    except ValueError as error:
        raise ValueError(
            f"{source}: {error} kspace is taken for [n, coils, h, w] = {kspace.shape}: "
            "put its axes in that order if they are not, else give --maps."
        ) from None
    maps = [espirit.sensitivities(each * sampled, width) for each in kspace]
    return dataclasses.replace(
        contents, sensitivity_maps=np.stack(maps), maps_estimated=True
    )


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


def _spread(mask: np.ndarray, kspace: np.ndarray) -> np.ndarray:
    """Return a mask [h, w] of a row [1, w] or a column [h, 1], as MATLAB has them."""
    size = kspace.shape[-2:]
    fits = mask.ndim == 2 and all(
        n in (1, m) for n, m in zip(mask.shape, size, strict=True)
    )
    return np.broadcast_to(mask, size) if fits else mask


def ct_arrays(
    sinogram: str, angles: str | None = None, scale: float | None = None
) -> hdf5.CtFile:
    """Return checked arrays of a CT scan.

    What an argument of None leaves open is looked for in the file of the sinogram
    first, by its name in `hdf5.read_ct`.

    Args:
      sinogram: file of [n, v, d], or of one slice [v, d].
      angles: file of [v], degrees.
      scale: image value that 1 stands for; 1 without one.

    Raises:
      ValueError: with one line, if the arrays cannot be used.
    """
    values = arrays.read(sinogram, "sinogram")
    values = values[None] if values.ndim == 2 else values
    degrees = _given_or_beside(angles, sinogram, "sinogram", "angles_deg")
    if degrees is None:
        raise ValueError(
            f"{sinogram}: holds no angles_deg beside the sinogram; give --angles."
        )
    degrees = np.atleast_1d(np.squeeze(degrees))
    with blame.blaming(sinogram):
        _, scale = _noted(arrays.attributes(sinogram), True, scale)
    contents = hdf5.CtFile(values, degrees, None, scale or 1.0)
    hdf5.check_ct(contents)
    return contents
