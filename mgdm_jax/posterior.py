"""Several samples of every image, and what they agree and disagree on."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import devices, reconstruction
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
        complex images that of the distance from the mean; zero for one sample.
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


class Job(NamedTuple):
    """What is sampled at once: a batch of the images, for one of the samples."""

    sample: int
    batch: range


JobFn = Callable[[Job], Reconstruction]
"""A job of `jobs` -> its images."""


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
      batch_size: images in one program.
      progress: called after each batch with the images it finished.

    Raises:
      ValueError: if n_samples is not positive.
    """
    n = len(measurements)
    size = reconstruction.stride(batch_size, n)
    sample = by_job(key, n_samples, sampler, prior, measurements, guidance, size)
    parts = {}
    for job in jobs(n_samples, n, size):
        parts[job] = sample(job)
        if progress is not None:
            progress(len(job.batch))
    return join(parts)


def jobs(n_samples: int, n: int, size: int) -> list[Job]:
    """Return n_samples samples of n images, batch by batch.

    Raises:
      ValueError: if n_samples is not positive.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
    batches = reconstruction.batches(n, size)
    return [Job(i, batch) for i in range(n_samples) for batch in batches]


def by_job(
    key: Array,
    n_samples: int,
    sampler: Sampler,
    prior: Prior,
    measurements: Measurements,
    guidance: Guidance,
    size: int,
) -> JobFn:
    """Return what samples one job, whichever were sampled before.

    Arguments are those of `draw`; `size` is the longest job's images.
    """
    stream = jax.random.fold_in(key, SAMPLE_STREAM)
    keys = [key, *(jax.random.fold_in(stream, i) for i in range(1, n_samples))]
    programs = reconstruction.compiled(sampler, measurements)
    mesh = devices.mesh(at_most=len(measurements))
    prior = prior._replace(params=devices.replicate(mesh, prior.params))
    args = (programs, prior, measurements, guidance, size)
    samples = [reconstruction.by_batch(k, *args) for k in keys]
    return lambda job: samples[job.sample](job.batch)


def join(parts: Mapping[Job, Reconstruction]) -> list[Reconstruction]:
    """Return the samples, each of all images, of the parts of every job."""
    found: dict[int, list[Reconstruction]] = {}
    for job in sorted(parts, key=lambda job: (job.sample, job.batch.start)):
        found.setdefault(job.sample, []).append(parts[job])
    return [reconstruction.join(of_sample) for of_sample in found.values()]


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
    variance = ((samples - mean) ** 2 * used).sum(0) / np.maximum(count - 1, 1)
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
