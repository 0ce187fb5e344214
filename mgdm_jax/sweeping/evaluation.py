"""How well candidates of ζ, λ, ρ, η reconstruct: a batch of them is one program."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import devices, metrics, reconstruction
from mgdm_jax.factory import Prior, Sampler
from mgdm_jax.measurements import Measurements
from mgdm_jax.sweeping import criteria
from mgdm_jax.types import Array, Guidance, Params, Problem


class Outcome(NamedTuple):
    """What became of every image under every candidate: [s, n] arrays.

    Attributes:
      scores: under `metrics.CONVENTION`, diverged images blank as `run` writes them;
        NaN where there are no references.
      data_residual: ‖y - A x‖ / ‖y‖.
      diverged: bool.
      merit: what the criterion wants much of, see `criteria`; without references the
        least for a diverged image.
    """

    scores: metrics.Scores
    data_residual: Array | np.ndarray
    diverged: Array | np.ndarray
    merit: Array | np.ndarray


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
    criterion: str = criteria.REFERENCE,
    held_out: Measurements | None = None,
) -> EvaluateFn:
    """Return what evaluates up to n_candidates at once, always in the same program.

    Keys are `run`'s, one an image, so that every candidate meets the same noise. No
    more than n_candidates · n_images images are in memory at once, each device with its
    part of that table.

    Args:
      key: typed random key.
      sampler: of one example.
      prior: gives the weights.
      measurements: n problems.
      n_candidates: rows of the program, rounded up to a multiple of their devices;
        fewer are filled up with repeats.
      n_images: images of the program, rounded up likewise; the last batch is filled up
        with repeats.
      criterion: of the merit, one of `criteria.CRITERIA`.
      held_out: n problems to judge the images by, for the criterion of that name.
    """
    n = len(measurements)
    mesh = devices.table(n_candidates, min(n_images, n))
    keys = jax.random.split(key, n)
    params = devices.replicate(mesh, prior.params)
    references = _references(measurements)
    program = compiled(sampler, measurements, mesh, criterion, held_out)
    n_rows = devices.padded(n_candidates, mesh, devices.ROWS)
    size = devices.padded(min(n_images, n), mesh, devices.COLUMNS)

    def evaluate(guidance: Guidance) -> Outcome:
        asked = len(guidance.zeta)
        if asked > n_rows:
            raise ValueError(f"the program has {n_rows} rows, got {asked} candidates.")
        rows = np.minimum(np.arange(n_rows), asked - 1)
        guidance = jax.tree.map(lambda column: column[rows], guidance)
        parts = []
        for start in range(0, n, size):
            index = np.minimum(np.arange(start, start + size), n - 1)
            problem, reference = measurements.problem(index), references[index]
            held = None if held_out is None else held_out.problem(index)
            part = program(keys[index], params, problem, held, reference, guidance)
            done = min(size, n - start)
            parts.append(
                jax.tree.map(lambda v, m=done: np.asarray(v)[:asked, :m], part)
            )
        return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)

    return evaluate


def _references(measurements: Measurements) -> Array:
    """Return the references [n, …image], NaN where there are none."""
    if measurements.reference is not None:
        return jnp.asarray(measurements.reference)
    shape = measurements.problem(np.zeros(1, int)).operator.image_shape
    return jnp.full((len(measurements), *shape), jnp.nan)


def compiled(
    sampler: Sampler,
    measurements: Measurements,
    mesh: jax.sharding.Mesh,
    criterion: str,
    held_out: Measurements | None,
) -> Callable:
    """Return the program of candidates, jitted.

    It maps (keys [n], params, problems [n], held-out problems [n] or None, references
    [n], guidance [s]) to an `Outcome`; each device takes its part of that table.
    """
    merit_of = criteria.make(criterion, sampler)

    def one(
        key: Array,
        params: Params,
        problem: Problem,
        held: Problem | None,
        reference: Array,
        row: Guidance,
    ) -> Outcome:
        image, _ = sampler(key, params, problem, row)
        image, _, residual, diverged = reconstruction.finish(
            problem, image, measurements.region
        )
        merit = merit_of(key, params, problem, held, reference, row, image)
        if criterion != criteria.REFERENCE:  # by which a blank image has its own
            merit = jnp.where(diverged, -jnp.inf, merit)
        scores = metrics.score(reference, image)
        return Outcome(scores, residual, diverged, merit)

    held_axes = None if held_out is None else held_out.axes
    image_axes = (0, None, measurements.axes, held_axes, 0, None)
    over_images = jax.vmap(one, in_axes=image_axes)
    in_axes = (None, None, None, None, None, 0)
    over_rows = jax.vmap(over_images, in_axes=in_axes)
    return jax.jit(devices.per_cell(mesh, over_rows, in_axes, image_axes))
