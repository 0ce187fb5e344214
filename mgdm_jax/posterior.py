"""Several samples of every image, and what they agree and disagree on."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import reconstruction
from mgdm_jax.factory import Prior, Sampler
from mgdm_jax.guidance import proximal
from mgdm_jax.measurements import Measurements, spectral
from mgdm_jax.reconstruction import Reconstruction
from mgdm_jax.types import Array, Guidance, Problem

SAMPLE_STREAM = 2**31 - 2
"""Folded into the key first: `fold_in(key, i)` alone is image i's key of the run."""


class Posterior(NamedTuple):
    """Summaries of k samples of n images, operator units.

    Attributes:
      mean: [n, …image].
      std: [n, h, w] standard deviation of each pixel (of k samples, by k - 1), of
        complex images that of the distance from the mean; NaN of fewer than two.
      null_space: [n, h, w] magnitude of (I - A†A) mean: what the measurements say
        nothing about and the prior alone put there.
      samples: [k, n, …image].
      baseline: [n, …image], zero-filled or filtered back-projection.
      data_residual: [k, n] ‖y - A x‖ / ‖y‖.
      diverged: [k, n] bool; a diverged sample is blank and in no summary.
      first: the first sample, with its diagnostics.
    """

    mean: np.ndarray
    std: np.ndarray
    null_space: np.ndarray
    samples: np.ndarray
    baseline: np.ndarray
    data_residual: np.ndarray
    diverged: np.ndarray
    first: Reconstruction


def draw(
    key: Array,
    n_samples: int,
    sampler: Sampler,
    prior: Prior,
    measurements: Measurements,
    guidance: Guidance,
    batch_size: int,
    progress: Callable[[int], Any] | None = None,
) -> list[Reconstruction]:
    """Sample every image n_samples times; the first sample is `reconstruct`'s own.

    Args:
      key: typed random key.
      n_samples: samples of each image.
      sampler: see `reconstruction.reconstruct`, and so the rest.
      prior: gives the weights.
      measurements: n problems.
      guidance: ζ, λ, ρ, η.
      batch_size: images in one program, of one sample or of several.
      progress: called after each batch with the images it finished.

    Raises:
      ValueError: if n_samples is not positive.
    """
    n = len(measurements)
    args = (sampler, prior, measurements, guidance, batch_size, progress)
    return apart(reconstruction.reconstruct(keys(key, n_samples, n), *args), n)


def keys(key: Array, n_samples: int, n: int) -> Array:
    """Return the keys [k·n] of n images, k times; the first n are `reconstruct`'s.

    Raises:
      ValueError: if n_samples is not positive.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
    stream = jax.random.fold_in(key, SAMPLE_STREAM)
    each = [key, *(jax.random.fold_in(stream, i) for i in range(1, n_samples))]
    return jnp.concatenate([jax.random.split(one, n) for one in each])


def apart(drawn: Reconstruction, n: int) -> list[Reconstruction]:
    """Return k·n examples as k samples of n images, the steps followed in the first."""
    alike = drawn._replace(x0_hat=None)
    starts = range(0, len(drawn.images), n)
    first, *others = (jax.tree.map(lambda v, i=i: v[i : i + n], alike) for i in starts)
    return [first._replace(x0_hat=drawn.x0_hat), *others]


def summarise(runs: Sequence[Reconstruction], measurements: Measurements) -> Posterior:
    """Return what the samples agree and disagree on."""
    mean, std = mean_and_std(runs)
    return Posterior(
        mean=mean,
        std=std,
        null_space=null_space(measurements, mean),
        samples=np.stack([run.images for run in runs]),
        baseline=runs[0].baseline,
        data_residual=np.stack([run.data_residual for run in runs]),
        diverged=np.stack([run.diverged for run in runs]),
        first=runs[0],
    )


def mean_and_std(runs: Sequence[Reconstruction]) -> tuple[np.ndarray, np.ndarray]:
    """Return `mean` and `std` of `Posterior`."""
    samples = np.stack([run.images for run in runs])
    diverged = np.stack([run.diverged for run in runs])
    used = ~diverged.reshape(diverged.shape + (1,) * (samples.ndim - 2))
    count = np.maximum(used.sum(0), 1)
    mean = (samples * used).sum(0) / count
    squares = ((samples - mean) ** 2 * used).sum(0)
    variance = np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)
    return mean, _magnitude(np.sqrt(variance), mean.ndim)


def null_space(measurements: Measurements, images: np.ndarray) -> np.ndarray:
    """Return `null_space` of `Posterior` for images [n, …image]."""
    return _magnitude(unseen(measurements, images), images.ndim)


def unseen(measurements: Measurements, images: np.ndarray) -> np.ndarray:
    """Return (I - A†A) x of images [n, …image], one operator at a time.

    Exact where the operator's spectrum can be had, whether or not a method has asked
    for it, else by conjugate gradients.
    """
    if measurements.per_image:
        measurements = dataclasses.replace(measurements, prepare=spectral)
    else:
        operator = spectral(measurements.operator)
        measurements = dataclasses.replace(measurements, operator=operator)
    if measurements.weight is not None:  # W A sees what A sees
        measurements = dataclasses.replace(measurements, weight=None, noise_std=0.0)
    axes = measurements.axes

    def project(problem: Problem, image: Array) -> Array:
        nothing = problem._replace(measurement=jnp.zeros_like(problem.measurement))
        return proximal.exact(nothing, image, jnp.float32(0))

    run = jax.jit(jax.vmap(project, in_axes=(axes, 0)))
    each = (measurements.problem(np.array([i])) for i in range(len(images)))
    pairs = zip(each, images, strict=True)
    return np.concatenate([run(problem, image[None]) for problem, image in pairs])


def _magnitude(values: np.ndarray, ndim: int) -> np.ndarray:
    """Return [n, h, w] of [n, h, w] or of two channels [n, h, w, 2]."""
    return np.linalg.norm(values, axis=-1) if ndim == 4 else np.abs(values)
