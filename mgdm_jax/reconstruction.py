"""Batches of images through a compiled sampler, with their baseline and scores."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import devices, metrics
from mgdm_jax.factory import Prior, Sampler
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import radon, sparse_views
from mgdm_jax.types import Array, Guidance, Problem, StepInfo


class Reconstruction(NamedTuple):
    """n reconstructed images in operator units.

    Attributes:
      images: [n, …image], zero where nothing is measured, and throughout where the
        sampler diverged.
      baseline: [n, …image], zero-filled or filtered back-projection.
      diverged: [n] bool, whether the sampler ended in infinities.
      info: diagnostics [n, k].
    """

    images: np.ndarray
    baseline: np.ndarray
    diverged: np.ndarray
    info: StepInfo


def reconstruct(
    key: Array,
    sampler: Sampler,
    prior: Prior,
    measurements: Measurements,
    guidance: Guidance,
    batch_size: int,
    progress: Callable[[int], Any] | None = None,
) -> Reconstruction:
    """Sample every image; one key an image, so the batch size changes nothing.

    Args:
      key: typed random key.
      sampler: from `factory.make_sampler`.
      prior: gives the weights.
      measurements: n problems.
      guidance: ζ, λ, ρ, η.
      batch_size: images in one program, rounded up to a multiple of the devices; the
        last batch is filled up with repeats.
      progress: called after each batch with the images it finished.
    """
    n, axes = len(measurements), measurements.axes
    keys = jax.random.split(key, n)
    mesh = devices.mesh()
    run = jax.jit(batched(sampler, axes, mesh))
    params = devices.replicate(mesh, prior.params)
    images, infos = [], []
    size = devices.padded(min(batch_size, n), mesh)
    for start in range(0, n, size):
        index = jnp.minimum(jnp.arange(start, start + size), n - 1)
        problem = measurements.problem(index)
        image, info = run(keys[index], params, problem, guidance)
        done = min(size, n - start)
        images.append(np.asarray(image)[:done])
        infos.append(jax.tree.map(lambda v, m=done: np.asarray(v)[:m], info))
        if progress is not None:
            progress(done)
    stacked = jax.tree.map(lambda *parts: np.concatenate(parts), *infos)
    return _finished(measurements, np.concatenate(images), stacked)


def _finished(
    measurements: Measurements, images: np.ndarray, info: StepInfo
) -> Reconstruction:
    """Return the images, blank where unseen or diverged, with their baseline."""
    diverged = ~np.asarray(info.finite)[:, -1]
    images = np.where(diverged.reshape(-1, *(1,) * (images.ndim - 1)), 0, images)
    if measurements.region is not None:
        images = images * measurements.region
    return Reconstruction(images, baselines(measurements), diverged, info)


def batched(sampler: Sampler, axes: Problem, mesh: jax.sharding.Mesh) -> Callable:
    """Return the sampler over a batch, (keys, params, problems, guidance), not jitted.

    Args:
      sampler: of one example.
      axes: `Measurements.axes`.
      mesh: devices; each samples its part of the batch alone.
    """
    in_axes = (0, None, axes, None)
    return devices.per_device(mesh, jax.vmap(sampler, in_axes=in_axes), in_axes)


def baselines(measurements: Measurements) -> np.ndarray:
    """Return [n, …image]: zero-filled images, or FBP of sinograms."""

    def baseline(operator: Any, measurement: Array) -> Array:
        if isinstance(operator, radon.ParallelBeam):
            return radon.fbp(operator, measurement)
        if isinstance(operator, sparse_views.SparseViews):
            factor = operator.measured.size / operator.measured.sum()
            return factor * radon.fbp(operator.full, measurement)
        return operator.adjoint(measurement)

    axis = 0 if measurements.per_image else None
    run = jax.jit(jax.vmap(baseline, in_axes=(axis, 0)))
    return np.asarray(run(measurements.operator, measurements.measurement))


def scores(reference: np.ndarray, images: np.ndarray) -> metrics.Scores:
    """Return PSNR, SSIM and NMSE [n] under `metrics.CONVENTION`."""
    run = jax.jit(jax.vmap(metrics.score))
    return jax.device_get(run(jnp.asarray(reference), jnp.asarray(images)))
