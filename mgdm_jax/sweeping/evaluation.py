"""How well candidates of ζ, λ, ρ, η reconstruct: a batch of them is one program."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

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
      diverged: not finite, or `criteria.is_broken`.
      merit: what the criterion wants much of, see `criteria`; without references the
        least for an image that is not finite.
    """

    scores: metrics.Scores
    data_residual: Array | np.ndarray
    diverged: Array | np.ndarray
    merit: Array | np.ndarray


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """One program: `Guidance` of [s] arrays -> what became of the images.

    Attributes:
      program: see `compiled`.
      keys: of the images [n].
      params: on every device of the table.
      measurements: n problems.
      held_out: n problems to judge by, or None.
      references: [n, …image], NaN where there are none.
      n_rows: candidates at once.
      n_columns: images at once.
      n_devices: that share the table.
    """

    program: Any
    keys: Array
    params: Params
    measurements: Measurements
    held_out: Measurements | None
    references: Array
    n_rows: int
    n_columns: int
    n_devices: int

    def __call__(self, guidance: Guidance) -> Outcome:
        """Return what becomes of all images under up to n_rows candidates.

        Fewer are filled up with repeats, as is the last batch of images.
        """
        asked = len(guidance.zeta)
        if asked > self.n_rows:
            raise ValueError(
                f"the program has {self.n_rows} rows, got {asked} candidates."
            )
        rows = np.minimum(np.arange(self.n_rows), asked - 1)
        guidance = jax.tree.map(lambda column: column[rows], guidance)
        parts = []
        for start in range(0, len(self.measurements), self.n_columns):
            part = self.program(*self._inputs(start), guidance)
            done = min(self.n_columns, len(self.measurements) - start)
            parts.append(
                jax.tree.map(lambda v, m=done: np.asarray(v)[:asked, :m], part)
            )
        return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)

    def taken(self) -> int:
        """Return the bytes that the program takes on each of its devices."""
        guidance = Guidance(*(jnp.zeros(self.n_rows) for _ in Guidance._fields))
        return devices.taken(self.program.lower(*self._inputs(0), guidance).compile())

    def _inputs(self, start: int) -> tuple:
        """Return the program's arguments for the images from `start` on."""
        last = len(self.measurements) - 1
        index = np.minimum(np.arange(start, start + self.n_columns), last)
        held = None if self.held_out is None else self.held_out.problem(index)
        problem = self.measurements.problem(index)
        return self.keys[index], self.params, problem, held, self.references[index]


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
) -> Evaluator:
    """Return what evaluates up to n_candidates at once, always in the same program.

    Keys are `run`'s, one an image, so that every candidate meets the same noise. No
    more than n_candidates · n_images images are in memory at once, each device with its
    part of that table.

    Args:
      key: typed random key.
      sampler: of one example.
      prior: gives the weights.
      measurements: n problems.
      n_candidates: rows of the program, rounded up to a multiple of their devices.
      n_images: images of the program, rounded up likewise.
      criterion: of the merit, one of `criteria.CRITERIA`.
      held_out: n problems to judge the images by, for the criterion of that name.
    """
    n = len(measurements)
    mesh = devices.table(n_candidates, min(n_images, n))
    return Evaluator(
        program=compiled(sampler, measurements, mesh, criterion, held_out),
        keys=jax.random.split(key, n),
        params=devices.replicate(mesh, prior.params),
        measurements=measurements,
        held_out=held_out,
        references=_references(measurements),
        n_rows=devices.padded(n_candidates, mesh, devices.ROWS),
        n_columns=devices.padded(min(n_images, n), mesh, devices.COLUMNS),
        n_devices=mesh.size,
    )


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
        diverged |= criteria.is_broken(criterion, image, scores, residual, merit)
        return Outcome(scores, residual, diverged, merit)

    held_axes = None if held_out is None else held_out.axes
    image_axes = (0, None, measurements.axes, held_axes, 0, None)
    over_images = jax.vmap(one, in_axes=image_axes)
    in_axes = (None, None, None, None, None, 0)
    over_rows = jax.vmap(over_images, in_axes=in_axes)
    return jax.jit(devices.per_cell(mesh, over_rows, in_axes, image_axes))
