"""Measurements simulated from the embedded sample."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import measurements, photons
from mgdm_jax.data import pipelines, samples
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import (
    block_average,
    blur,
    coils,
    fourier,
    inpainting,
    masks,
    projection,
    radon,
    sense,
    sparse_views,
)
from mgdm_jax.types import Array

NOISE_STREAM = 2**31 - 1
"""Folded into the seed's key; far from the indices that `jax.random.split` uses."""


def simulate(config: Config, image_shape: tuple[int, ...]) -> Measurements:
    """Return y = A x + n for slices of the embedded sample.

    Args:
      config: `task`, `data` and `sampler.seed` of `defaults.reconstruction`.
      image_shape: the prior's, `(h, w)` or `(h, w, 2)`.

    Raises:
      ValueError: if the sample's size is not the prior's, or a name is unknown.
    """
    images, region = _sample_images(config, image_shape), None
    if config.task.kind == "ct":
        region = projection.inscribed_circle(images.shape[-1])
        images = images * region
    operator, facts = make_operator(config.task, images.shape[1:])
    if config.guidance.proximal == "fbp_merge" and config.task.kind == "ct":
        operator = sparse_views.sparse_views(config.task.n_views, images.shape[-1])
    operator = measurements.with_spectrum(operator, config)
    source = f"embedded sample: {config.data.split}/{config.data.subject}"
    return _measure(config, operator, images, {"data": source} | facts, region)


def _sample_images(config: Config, image_shape: tuple[int, ...]) -> np.ndarray:
    channels = 2 if len(image_shape) == 3 else 1
    data = config.data
    images = pipelines.validation_slices(
        data.modality, data.subject, data.n_images, channels=channels, split=data.split
    )
    images = images[..., 0] if channels == 1 else images
    measurements.check_size("the embedded sample", images.shape[1:3], image_shape)
    return images


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
            facts |= {"n_views": task.n_views}
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
        parts.append("phase")
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
        case _:
            operator = blur.blur(blur.gaussian_spread(size, task.blur_std))
            facts = {"blur_std": task.blur_std}
    return operator, {"simulated": task.kind} | facts


def _measure(
    config: Config,
    operator: Any,
    images: np.ndarray,
    facts: dict,
    region: np.ndarray | None,
) -> Measurements:
    """Return A x + n, n of the task's noise level, independent of the sampler's."""
    clean = jax.jit(jax.vmap(operator.forward))(jnp.asarray(images))
    noisy = _low_dose if config.task.photons else _white
    measurement, sigma = noisy(config, operator, clean)
    if config.task.photons:
        facts = facts | {"photons": config.task.photons}
    return Measurements(
        operator=operator,
        measurement=measurement,
        noise_std=sigma,
        reference=images,
        scale=np.ones(len(images), np.float32),
        region=region,
        facts=facts | {"noise_std": sigma},
    )


def _white(config: Config, operator: Any, clean: Array) -> tuple[Array, float]:
    sigma = config.task.noise_std
    if not sigma:
        return clean, sigma
    # A stream of its own: the sampler starts from the seed's key itself.
    key = jax.random.fold_in(jax.random.key(config.sampler.seed), NOISE_STREAM)
    keys = jax.random.split(key, len(clean))
    noise = jax.vmap(lambda k, y: operator.sampled(_noise(k, y)))(keys, clean)
    return clean + sigma * noise, sigma


def _low_dose(config: Config, operator: Any, clean: Array) -> tuple[Array, float]:
    task, data = config.task, config.data
    if task.kind != "ct" or task.noise_std or task.photons < 0:
        raise ValueError(
            "task.photons, positive, is for CT and takes the place of task.noise_std: "
            f"got {task.photons} with kind={task.kind}, noise_std={task.noise_std}."
        )
    _, pixel, _ = samples.spacing_mm(data.modality, data.split, data.subject)
    rng = np.random.default_rng([config.sampler.seed, NOISE_STREAM])
    y, deviation = photons.low_dose(
        rng, np.asarray(clean), task.photons, pixel * float(operator.scale)
    )
    # Methods know one σ_y: the root mean square over the measured rays.
    seen = np.asarray(operator.sampled(jnp.ones(y.shape[1:]))) > 0
    sigma = float(np.sqrt(np.mean(deviation[:, seen] ** 2)))
    return jax.vmap(operator.sampled)(jnp.asarray(y)), sigma


def _noise(key: Array, like: Array) -> Array:
    """Return unit noise per real component."""
    if not jnp.iscomplexobj(like):
        return jax.random.normal(key, like.shape)
    real, imaginary = jax.random.normal(key, (2, *like.shape))
    return jax.lax.complex(real, imaginary)
