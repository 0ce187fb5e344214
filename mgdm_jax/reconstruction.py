"""Batches of images through a compiled sampler, with their baseline and scores."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import devices, metrics
from mgdm_jax.factory import Prior, Sampler
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import linalg
from mgdm_jax.types import Array, Guidance, Problem, StepInfo


class Reconstruction(NamedTuple):
    """n reconstructed images in operator units.

    Attributes:
      images: [n, …image], zero where nothing is measured, and throughout where the
        sampler diverged.
      baseline: [n, …image], zero-filled or filtered back-projection.
      data_residual: [n] ‖y - A x‖ / ‖y‖ of `images`.
      diverged: [n] bool, whether the sampler ended in infinities.
      info: diagnostics [n, k] of the steps.
      x0_hat: [m, …image] of image `watched(n)`, where the sampler keeps any.
    """

    images: np.ndarray
    baseline: np.ndarray
    data_residual: np.ndarray
    diverged: np.ndarray
    info: StepInfo
    x0_hat: np.ndarray | None = None


CHUNK = 1024
"""Images that are scored at once."""

SampleFn = Callable[[range], Reconstruction]
"""Which of m examples, a batch of `batches` -> their reconstructions."""


class Programs(NamedTuple):
    """The compiled parts of a reconstruction; made once, for any key and numbers.

    Attributes:
      sample: (keys, params, problems, guidance) -> (images, diagnostics).
      finish: (problems, images, region) -> see `finish`.
    """

    sample: Callable
    finish: Callable


def compiled(sampler: Sampler, measurements: Measurements, m: int) -> Programs:
    """Return the programs of a sampler on m examples of one kind, some a device."""
    axes, mesh = measurements.axes, devices.mesh(at_most=m)
    return Programs(
        sample=jax.jit(batched(sampler, axes, mesh)),
        finish=jax.jit(jax.vmap(finish, in_axes=(axes, 0, None))),
    )


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
      key: typed random key, or those of m = k·n examples [m]: of n images, k times.
      sampler: from `factory.make_sampler`.
      prior: gives the weights.
      measurements: n problems.
      guidance: ζ, λ, ρ, η.
      batch_size: images in one program, rounded up to a multiple of the devices; the
        last batch is filled up with repeats.
      progress: called after each batch with the images it finished.
    """
    keys = key if key.ndim else jax.random.split(key, len(measurements))
    size = stride(batch_size, len(keys))
    sample = by_batch(keys, sampler, prior, measurements, guidance, size)
    parts = []
    for batch in batches(len(keys), size):
        parts.append(sample(batch))
        if progress is not None:
            progress(len(batch))
    return join(parts)


def stride(batch_size: int, m: int) -> int:
    """Return the examples of one program of m, a multiple of the devices.

    Raises:
      ValueError: if batch_size is not positive.
    """
    if batch_size < 1:
        raise ValueError(
            f"sampler.batch_size must be at least 1, got {batch_size}; `run` alone "
            "finds out what fits."
        )
    return devices.padded(min(batch_size, m), devices.mesh(at_most=m))


def batches(m: int, size: int) -> list[range]:
    """Return m examples in batches of `size`, the last one of what is left."""
    return [range(start, min(start + size, m)) for start in range(0, m, size)]


def by_batch(
    keys: Array,
    sampler: Sampler,
    prior: Prior,
    measurements: Measurements,
    guidance: Guidance,
    size: int,
) -> SampleFn:
    """Return what samples one batch, whichever were sampled before.

    Arguments are those of `reconstruct`, with keys [m]: example e is of image e mod n.
    `size` is the longest batch's, to which shorter ones are filled up with repeats.
    """
    n, m, region = len(measurements), len(keys), measurements.region
    mesh = devices.mesh(at_most=m)
    params = devices.replicate(mesh, prior.params)
    programs = compiled(sampler, measurements, m)
    rows = devices.padded(size, mesh)

    def sample(batch: range) -> Reconstruction:
        index = np.minimum(np.arange(batch.start, batch.start + rows), m - 1)
        problem = measurements.problem(index % n)
        image, info = programs.sample(keys[index], params, problem, guidance)
        image, baseline, residual, diverged = programs.finish(problem, image, region)
        x0_hat = None
        if info.x0_hat is not None and watched(n) in batch:
            x0_hat = np.asarray(info.x0_hat[watched(n) - batch.start])
        info = info._replace(x0_hat=None)
        part = Reconstruction(image, baseline, residual, diverged, info)
        part = jax.tree.map(lambda v: np.asarray(v)[: len(batch)], part)
        return part._replace(x0_hat=x0_hat)

    return sample


def join(parts: Sequence[Reconstruction]) -> Reconstruction:
    """Return batches, in their order, as one reconstruction."""
    strips = [part.x0_hat for part in parts if part.x0_hat is not None]
    alike = [part._replace(x0_hat=None) for part in parts]
    whole = jax.tree.map(lambda *leaves: np.concatenate(leaves), *alike)
    return whole._replace(x0_hat=strips[0] if strips else None)


def watched(n: int) -> int:
    """Return which of n images is followed through the steps: one in their middle."""
    return n // 2


def finish(
    problem: Problem, image: Array, region: np.ndarray | None
) -> tuple[Array, Array, Array, Array]:
    """Return the image, blank where unseen or diverged, and what is known of it."""
    operator, y = problem.operator, problem.measurement
    diverged = ~jnp.isfinite(image).all()
    image = jnp.where(diverged, 0.0, image)
    if region is not None:
        image = jnp.where(region, image, 0.0)
    return image, operator.baseline(y), data_residual(problem, image), diverged


def data_residual(problem: Problem, image: Array) -> Array:
    """Return ‖y - A x‖ / ‖y‖ of an image x; without the division where y = 0."""
    y = problem.measurement
    scale = linalg.norm(y)
    residual = linalg.norm(y - problem.operator.forward(image))
    return residual / jnp.where(scale > 0, scale, 1)


def batched(sampler: Sampler, axes: Problem, mesh: jax.sharding.Mesh) -> Callable:
    """Return the sampler over a batch, (keys, params, problems, guidance), not jitted.

    Args:
      sampler: of one example.
      axes: `Measurements.axes`.
      mesh: devices; each samples its part of the batch alone.
    """
    in_axes = (0, None, axes, None)
    return devices.per_device(mesh, jax.vmap(sampler, in_axes=in_axes), in_axes)


def scores(reference: np.ndarray, images: np.ndarray) -> metrics.Scores:
    """Return PSNR, SSIM and NMSE [n] under `metrics.CONVENTION`."""

    def run(*pair: Array) -> metrics.Scores:
        return jax.lax.map(lambda each: metrics.score(*each), pair, batch_size=16)

    return by_chunks(run, (reference, images))


def by_chunks(run: Callable, stacks: tuple[np.ndarray, ...]) -> Any:
    """Return run(*stacks), arrays [n, …], of n images that need not fit on a device."""
    compiled = jax.jit(run)
    starts = range(0, len(stacks[0]), CHUNK)
    parts = [
        jax.device_get(compiled(*(stack[i : i + CHUNK] for stack in stacks)))
        for i in starts
    ]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
