"""Measurements from the user's own arrays: see `data.hdf5`, `data.scan_arrays`.

The one place where a file's conventions (centred k-space, pixel units, scales) become
the operators'.
"""

import dataclasses
import functools
import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import evenly, measurements, photons
from mgdm_jax.data import checks, hdf5, resize
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import fourier, masks, projection, radon, sense

LEAST, MOST = 0.02, 20.0
"""Brightest values of an image in units of its scale; metal in CT reaches 3 or so."""

DARK = 0.3
"""A chest whose brightest value is less is in other units."""

JUDGED = 5
"""Slices, at most, by which a given scale is judged: the first may be near empty."""

STOPPED = 0.1
"""Share of rays, at most, that no photon may survive."""

_WIDER = (
    "; where complex images are the middle of a wider field of view, give --wider_field"
    " (in a configuration, --config.data.wider_field)"
)


def read(config: Config, image_shape: tuple[int, ...]) -> Measurements:
    """Return the measurements of `config.data.path`.

    Args:
      config: see `defaults.reconstruction`.
      image_shape: the prior's, `(h, w)` or `(h, w, 2)`.

    Raises:
      ValueError: with one line, if file, task and prior do not fit together.
    """
    path, n = config.data.path, config.data.n_images
    match config.task.kind:
        case "ct":
            return from_ct(path, hdf5.read_ct(path, n), config, image_shape)
        case "mri_real" | "mri_complex":
            return from_mri(path, hdf5.read_mri(path, n), config, image_shape)
        case kind:
            raise ValueError(f"no file of measurements is read for task.kind={kind!r}.")


def from_mri(
    path: str, file: hdf5.MriFile, config: Config, image_shape: tuple[int, ...]
) -> Measurements:
    """Return the measurements of checked MRI arrays.

    Args:
      path: where they come from, for messages and facts.
      file: see `hdf5.check_mri`.
      config: see `defaults.reconstruction`.
      image_shape: the prior's, `(h, w)` or `(h, w, 2)`.

    Raises:
      ValueError: with one line, if arrays, task and prior do not fit together.
    """
    n = min(config.data.n_images, len(file.kspace))
    kspace, size = file.kspace[:n], file.kspace.shape[-2:]
    if config.data.wider_field:
        file = _narrowed(path, file, image_shape)
        kspace = file.kspace[:n]
    else:
        measurements.check_size(path, size, image_shape, _WIDER)
    doubts = _doubts(path, checks.contradiction(file.kspace, file.mask))
    mask = np.broadcast_to(np.asarray(file.mask, np.float32), size)
    corner = mask
    if file.centered:
        kspace = np.asarray(fourier.centred_to_corner(kspace))
        corner = fourier.centred_to_corner_mask(mask)
    kspace = np.where(corner > 0, kspace, 0).astype(np.complex64)
    operator = _file_operator(path, file, corner, image_shape, n)
    if not isinstance(operator, list):
        operator = measurements.with_spectrum(operator, config)
    scale = _scales(path, file.scale, operator, kspace)
    spread = scale.reshape(-1, *(1,) * (kspace.ndim - 1))
    facts = {"data": str(path), "simulated": "nothing known of"} | doubts
    facts |= measurements.mask_facts(
        fourier.corner_to_centred_mask(np.asarray(corner)),
        real_image=len(image_shape) == 2,
    )
    facts |= {"scale": "from the file" if file.scale else "estimated: zero-filled max"}
    return Measurements(
        operator=operator,
        measurement=jnp.asarray(kspace / spread, jnp.complex64),
        noise_std=config.task.noise_std,
        reference=_file_reference(file.reference, n, scale, image_shape),
        scale=scale,
        region=None,
        facts=facts,
        prepare=functools.partial(measurements.with_spectrum, config=config),
        level=masks.nominal_acceleration(mask),
    )


def _doubts(path: str, doubt: str) -> dict[str, list[str]]:
    """Return a doubt, if there is one, as facts, and tell it before hours are spent."""
    if not doubt:
        return {}
    logging.warning("%s: %s", path, doubt)
    return {"doubts": [doubt]}


def _narrowed(
    path: str, file: hdf5.MriFile, image_shape: tuple[int, ...]
) -> hdf5.MriFile:
    """Return the file with maps and reference cut to the prior's images.

    k-space stays that of the wider field of view, one coil's with maps of one.
    """
    (h, w), size = image_shape[:2], file.kspace.shape[-2:]
    if len(image_shape) != 3 or size[0] < h or size[1] < w:
        raise ValueError(
            f"{path}: wider_field is for complex images, not larger than the "
            f"k-space of {size[0]}x{size[1]}; the prior's are {h}x{w}."
        )
    kspace, maps = file.kspace, file.sensitivity_maps
    if kspace.ndim == 3:
        kspace, maps = kspace[:, None], np.ones((1, *size), np.complex64)
    return dataclasses.replace(
        file,
        kspace=kspace,
        sensitivity_maps=_cropped(maps, (h, w)),
        reference=_cropped(file.reference, (h, w)),
    )


def _cropped(array: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | None:
    return None if array is None else resize.crop_or_pad(array, size)


def _file_operator(
    path: str,
    file: hdf5.MriFile,
    corner: np.ndarray,
    image_shape: tuple[int, ...],
    n: int,
) -> Any:
    """Return the operator of an MRI file, or a list of one an image; no spectra."""
    maps = file.sensitivity_maps
    if maps is None:
        if file.kspace.ndim == 4:
            raise ValueError(
                f"{path}: kspace has {file.kspace.shape[1]} coils but the file holds "
                "no sensitivity_maps; add them, or let `python -m mgdm_jax.reconstruct`"
                " estimate them."
            )
        return fourier.masked_fourier(corner, image_shape)
    if len(image_shape) != 3:
        raise ValueError(
            f"{path}: multi-coil k-space needs a prior of complex images (2 channels), "
            "as brain_complex is."
        )
    field = (corner.shape[0], corner.shape[1])
    if maps.ndim == 3:
        return sense.sense(corner, maps, field)
    return [sense.sense(corner, m, field) for m in maps[:n]]


def _scales(
    path: str, given: float | None, operator: Any, kspace: np.ndarray
) -> np.ndarray:
    """Return [n]: the file's scale, or the largest zero-filled magnitude."""
    n = len(kspace)
    seen = range(n) if given is None else evenly.spaced(n, JUDGED)
    adjoint = jax.jit(lambda op, y: op.adjoint(y))
    each = operator if isinstance(operator, list) else [operator] * n
    images = (adjoint(each[i], kspace[i]) for i in seen)
    magnitudes = (
        np.abs(x) if x.ndim == 2 else np.linalg.norm(x, axis=-1) for x in images
    )
    found = np.array([magnitude.max() for magnitude in magnitudes], np.float32)
    if given is None:
        return found
    _check_scale(path, "the zero-filled image", float(found.max()), given)
    return np.full(n, given, np.float32)


def _check_scale(path: str, what: str, brightest: float, scale: float) -> None:
    """Refuse a scale that no image in [0, 1] has."""
    if not LEAST <= brightest / scale <= MOST:
        raise ValueError(
            f"{path}: scale {scale:.3g} is to be the image value that 1 stands for, "
            f"but {what} reaches {brightest:.3g}; give the scale of these data."
        )


def _file_reference(
    reference: np.ndarray | None,
    n: int,
    scale: np.ndarray,
    image_shape: tuple[int, ...],
) -> np.ndarray | None:
    if reference is None:
        return None
    scaled = reference[:n] / scale[:, None, None]
    if len(image_shape) == 3:
        return np.stack([scaled.real, scaled.imag], -1).astype(np.float32)
    if np.iscomplexobj(scaled):
        scaled = np.abs(scaled)
    return scaled.astype(np.float32)


def from_ct(
    path: str, file: hdf5.CtFile, config: Config, image_shape: tuple[int, ...]
) -> Measurements:
    """Return the measurements of checked CT arrays; see `from_mri`.

    Raises:
      ValueError: with one line, if arrays, task and prior do not fit together.
    """
    n = min(config.data.n_images, len(file.sinogram))
    detectors = file.sinogram.shape[-1]
    measurements.check_size(path, (detectors, detectors), image_shape)
    operator = radon.parallel_beam(file.angles_deg, detectors)
    scale = np.full(n, file.scale, np.float32)
    region = projection.inscribed_circle(detectors)
    reference = _file_reference(file.reference, n, scale, image_shape)
    sinogram = file.sinogram[:n] / (file.scale * float(operator.scale))
    sinogram = jnp.asarray(sinogram, jnp.float32)
    baselines = jax.jit(jax.vmap(operator.baseline))(sinogram[evenly.spaced(n, JUDGED)])
    brightest = float(jnp.abs(baselines).max())
    _check_scale(path, "its back-projection", brightest * file.scale, file.scale)
    dark = (
        f"its back-projection reaches {brightest:.2g}, water is 0.5; unless that is "
        "air, give the scale of these line integrals."
    )
    facts = {"data": str(path), "simulated": "nothing known of"}
    facts |= _doubts(path, dark if brightest < DARK else "")
    facts |= measurements.view_facts(len(file.angles_deg), detectors)
    if not config.task.photons:
        operator = measurements.with_spectrum(operator, config)
    made = Measurements(
        operator=operator,
        measurement=sinogram,
        noise_std=config.task.noise_std,
        reference=None if reference is None else reference * region,
        scale=scale,
        region=region,
        facts=facts,
        level=len(file.angles_deg),
    )
    return _with_photons(path, file, made, config) if config.task.photons else made


def _with_photons(
    path: str, file: hdf5.CtFile, made: Measurements, config: Config
) -> Measurements:
    """Return the measurements with the noise of I₀ photons a ray."""
    task, attenuation = config.task, file.sinogram[: len(made)]
    if task.noise_std or file.scale == 1:
        raise ValueError(
            f"{path}: photons is the I_0 of sinograms of attenuation, whose scale is "
            "2.048 * mu of water * pixel, and takes the place of noise_std: got scale "
            f"{file.scale:g}, noise_std {task.noise_std:g}."
        )
    if np.mean(attenuation > np.log(task.photons)) > STOPPED:
        raise ValueError(
            f"{path}: of {task.photons:g} photons none would survive on many rays, as "
            f"integrals reach {attenuation.max():.3g}; give I_0 of a detector, and "
            "sinograms of attenuation, without a unit."
        )
    units = file.scale * float(made.operator.scale)
    deviations = photons.deviation(attenuation, task.photons) / units
    return measurements.with_photons(made, deviations, config)
