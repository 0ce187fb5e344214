"""How well candidates of ζ, λ, ρ, η reconstruct: a batch of them is one program."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import devices, metrics, reconstruction
from mgdm_jax.factory import Prior, Sampler
from mgdm_jax.measurements import Measurements
from mgdm_jax.types import Array, Guidance, Params, Problem


class Outcome(NamedTuple):
    """What became of every image under every candidate: [s, n] arrays.

    Attributes:
      scores: under `metrics.CONVENTION`, diverged images blank as `run` writes them.
      data_residual: ‖y - A x‖ / ‖y‖.
      diverged: bool.
    """

    scores: metrics.Scores
    data_residual: Array | np.ndarray
    diverged: Array | np.ndarray


EvaluateFn = Callable[[Guidance], Outcome]
"""`Guidance` of [s] arrays -> what became of the images."""


def make(
    key: Array,
    sampler: Sampler,
    prior: Prior,
    measurements: Measurements,
    *,
    n_candidates: int,
    n_images: int,
) -> EvaluateFn:
    """Return what evaluates up to n_candidates at once, always in the same program.

    Keys are `run`'s, one an image, so that every candidate meets the same noise. No
    more than n_candidates · n_images images are in memory at once, and the candidates
    are split over the devices.

    Args:
      key: typed random key.
      sampler: of one example.
      prior: gives the weights.
      measurements: n problems with references.
      n_candidates: rows of the program, rounded up to a multiple of the devices; fewer
        are filled up with repeats.
      n_images: images of the program; the last batch is filled up with repeats.
    """
    n, mesh = len(measurements), devices.mesh()
    keys = jax.random.split(key, n)
    params = devices.replicate(mesh, prior.params)
    references = jnp.asarray(measurements.reference)
    program = compiled(sampler, measurements, mesh)
    n_rows, size = devices.padded(n_candidates, mesh), min(n_images, n)

    def evaluate(guidance: Guidance) -> Outcome:
        asked = len(guidance.zeta)
        rows = np.minimum(np.arange(n_rows), asked - 1)
        guidance = jax.tree.map(lambda column: column[rows], guidance)
        parts = []
        for start in range(0, n, size):
            index = np.minimum(np.arange(start, start + size), n - 1)
            problem, reference = measurements.problem(index), references[index]
            part = program(keys[index], params, problem, reference, guidance)
            done = min(size, n - start)
            parts.append(
                jax.tree.map(lambda v, m=done: np.asarray(v)[:asked, :m], part)
            )
        return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)

    return evaluate


def compiled(
    sampler: Sampler, measurements: Measurements, mesh: jax.sharding.Mesh
) -> Callable:
    """Return the program of candidates, jitted.

    It maps (keys [n], params, problems [n], references [n], guidance [s]) to an
    `Outcome`; each device takes its part of the candidates.
    """

    def one(
        key: Array, params: Params, problem: Problem, reference: Array, row: Guidance
    ) -> Outcome:
        image, _ = sampler(key, params, problem, row)
        image, _, residual, diverged = reconstruction.finish(
            problem, image, measurements.region
        )
        return Outcome(metrics.score(reference, image), residual, diverged)

    over_images = jax.vmap(one, in_axes=(0, None, measurements.axes, 0, None))
    in_axes = (None, None, None, None, 0)
    over_rows = jax.vmap(over_images, in_axes=in_axes)
    return jax.jit(devices.per_device(mesh, over_rows, in_axes))
