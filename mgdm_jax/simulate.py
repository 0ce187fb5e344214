"""Measurements simulated from images: the embedded sample's, or prepared ones."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import measurements, photons
from mgdm_jax.data import plain_slices, prepared, samples, wanted
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import (
    block_average,
    blur,
    coils,
    fourier,
    inpainting,
    linalg,
    masks,
    projection,
    radon,
    sense,
    sparse_views,
)
from mgdm_jax.types import Array

_NO_PHASE = ("k-space from magnitude images, phase", "k-space from complex images")
"""What is simulated where phases are, and where they are a scan's."""

NOISE_STREAM = 2**31 - 1
"""Folded into the seed's key; far from the indices that `jax.random.split` uses."""


def simulate(config: Config, image_shape: tuple[int, ...]) -> Measurements:
    """Return y = A x + n for slices of `config.data.path`, or of the embedded sample.

    Args:
      config: `task`, `data` and `sampler.seed` of `defaults.reconstruction`.
      image_shape: the prior's, `(h, w)` or `(h, w, 2)`.

    Raises:
      ValueError: if the images' size is not the prior's, or a name is unknown.
    """
    given, region = _given(config, image_shape), None
    if config.task.kind == "ct":
        region = projection.inscribed_circle(image_shape[0])
        given = given._replace(images=given.images * region)
    operator, facts = make_operator(config.task, image_shape)
    if given.has_phase:
        facts["simulated"] = facts["simulated"].replace(*_NO_PHASE)
    if not config.task.photons:
        operator = measurements.with_spectrum(operator, config)
    made = _measure(config, operator, given, facts, region)
    if config.guidance.proximal == "fbp_merge" and config.task.kind == "ct":
        return _in_full_scan(made, config.task.n_views)
    return made


def _in_full_scan(few: Measurements, n_views: int) -> Measurements:
    """Return the same views, the same noise in them, as views of a full scan."""
    size = few.measurement.shape[-1]
    operator = sparse_views.sparse_views(n_views, size)
    measurement = jax.vmap(operator.placed)(few.measurement)
    return dataclasses.replace(few, operator=operator, measurement=measurement)


class _Given(NamedTuple):
    """Images to measure.

    Attributes:
      images: [n, h, w] or [n, h, w, 2], operator units.
      scale: [n], see `Measurements`.
      pixel_mm: [n], height of a pixel.
      source: where they come from.
      has_phase: whether their phase is a scan's; else it is simulated, if any.
      whose: see `Measurements`.
    """

    images: np.ndarray
    scale: np.ndarray
    pixel_mm: np.ndarray
    source: str
    has_phase: bool
    whose: dict[str, np.ndarray]


def _given(config: Config, image_shape: tuple[int, ...]) -> _Given:
    channels = 2 if len(image_shape) == 3 else 1
    data = config.data
    if data.path:
        if config.task.kind in ("ct", "mri_real", "mri_complex"):
            wanted.check_modality(data.path, ct=config.task.kind == "ct")
        subject = wanted.subject(data.path, data.subject)
        chosen = prepared.spread(data.path, data.split, data.n_images, subject)
        source = "/".join(filter(None, (f"{data.path}: {data.split}", subject)))
        n = len(chosen.images)
        n_all = len(prepared.indices(data.path, data.split, subject))
        given = _Given(
            plain_slices.to_channels(data.path, chosen.images, channels),
            scale=chosen.scale,
            pixel_mm=chosen.pixel_mm,
            source=source if n == n_all else f"{source} ({n} of {n_all} slices)",
            has_phase=np.iscomplexobj(chosen.images),
            whose=chosen.whose,
        )
    else:
        images = plain_slices.validation_slices(
            data.modality,
            data.subject,
            data.n_images,
            channels=channels,
            split=data.split,
        )
        spacing = samples.spacing_mm(data.modality, data.split, data.subject)
        given = _Given(
            images,
            scale=np.ones(len(images), np.float32),
            pixel_mm=np.full(len(images), spacing[1]),
            source=f"embedded sample: {data.split}/{data.subject}",
            has_phase=False,
            whose={},
        )
    measurements.check_size(given.source, given.images.shape[1:3], image_shape)
    return given._replace(images=given.images.reshape(-1, *image_shape))


def make_operator(task: Config, shape: tuple[int, ...]) -> tuple[Any, dict]:
    """Return A of a task, without a spectrum to compute, and facts for the reader.

    Args:
      task: `config.task` of `defaults.reconstruction`.
      shape: of one image, `(h, w)` or `(h, w, 2)`.

    Raises:
      ValueError: if a name is unknown.
    """
    match task.kind:
        case "mri_real" | "mri_complex":
            return _mri(task, shape)
        case "ct":
            angles = np.arange(task.n_views) * (180 / task.n_views)
            facts = {"simulated": "sinogram from reconstructed CT slices"}
            facts |= measurements.view_facts(task.n_views, shape[-1])
            return radon.parallel_beam(angles, shape[-1]), facts
        case _:
            return _photographic(task, (shape[0], shape[1]))


def _mri(task: Config, shape: tuple[int, ...]) -> tuple[Any, dict]:
    size = (shape[0], shape[1])
    mask = masks.make_mask(task.mask, size, task.acceleration, task.mask_seed)
    corner = fourier.centred_to_corner_mask(mask)
    if len(shape) == 3 and task.n_coils > 1:
        maps = coils.birdcage_sensitivities(size, task.n_coils)
        operator = sense.sense(corner, maps)
    else:
        operator = fourier.masked_fourier(corner, shape)
    facts = {"simulated": _simulated(shape, task.n_coils)}
    return operator, facts | measurements.mask_facts(mask, real_image=len(shape) == 2)


def _simulated(shape: tuple[int, ...], n_coils: int) -> str:
    parts = ["k-space from magnitude images"]
    if len(shape) == 3:
        parts = [_NO_PHASE[0]]
    if n_coils > 1:
        parts.append("coil sensitivities")
    return ", ".join(parts)


def _photographic(task: Config, size: tuple[int, int]) -> tuple[Any, dict]:
    """Return degradations of the image itself, the paper's outlook (section 5)."""
    match task.kind:
        case "inpainting":
            random = np.random.default_rng(task.mask_seed).random(size)
            operator = inpainting.inpainting(random < task.kept)
            facts = {"kept": float(np.mean(operator.mask))}
        case "super_resolution":
            operator = block_average.block_average(size, task.factor)
            facts = {"factor": task.factor}
        case "deblurring":
            operator = blur.blur(blur.gaussian_spread(size, task.blur_std))
            facts = {"blur_std": task.blur_std}
        case kind:
            raise ValueError(f"nothing simulates task.kind={kind!r}.")
    return operator, {"simulated": task.kind} | facts


def _measure(
    config: Config,
    operator: Any,
    given: _Given,
    facts: dict,
    region: np.ndarray | None,
) -> Measurements:
    """Return A x + n, n of the task's noise level, independent of the sampler's."""
    clean = _forward(operator, given.images)
    measurement, sigma = _white(config, operator, clean)
    made = Measurements(
        operator=operator,
        measurement=measurement,
        noise_std=sigma,
        reference=given.images,
        scale=given.scale,
        region=region,
        facts={"data": given.source} | facts | {"noise_std": sigma},
        whose=given.whose,
    )
    return _low_dose(config, made, given.pixel_mm) if config.task.photons else made


def _forward(operator: Any, images: np.ndarray) -> Array:
    """Return A x of all images, a few at once: coils times them all may not fit."""

    @jax.jit
    def run(x: Array) -> Array:
        return jax.lax.map(operator.forward, x, batch_size=16)

    return run(jnp.asarray(images))


def _white(config: Config, operator: Any, clean: Array) -> tuple[Array, float]:
    sigma = config.task.noise_std
    if not sigma:
        return clean, sigma
    # A stream of its own: the sampler starts from the seed's key itself.
    key = jax.random.fold_in(jax.random.key(config.sampler.seed), NOISE_STREAM)
    keys = jax.random.split(key, len(clean))
    noise = jax.vmap(lambda k, y: operator.sampled(linalg.unit_noise(k, y)))(
        keys, clean
    )
    return clean + sigma * noise, sigma


def _low_dose(
    config: Config, clean: Measurements, pixel_mm: np.ndarray
) -> Measurements:
    task = config.task
    if task.kind != "ct" or task.noise_std or task.photons < 0:
        raise ValueError(
            "task.photons, positive, is for CT and takes the place of task.noise_std: "
            f"got {task.photons} with kind={task.kind}, noise_std={task.noise_std}."
        )
    rng = np.random.default_rng([config.sampler.seed, NOISE_STREAM])
    mm_per_unit = pixel_mm[:, None, None] * float(clean.operator.scale)
    sinogram = np.asarray(clean.measurement)
    y, deviations = photons.low_dose(rng, sinogram, task.photons, mm_per_unit)
    noisy = dataclasses.replace(clean, measurement=jnp.asarray(y))
    return measurements.with_photons(noisy, deviations, config)
