"""Losses, samples and nearest training slices of a prior, for its card.

Images are stacks [n, h, w] or [n, h, w, 2] in operator units. Nothing here prints or
writes; `experiments.prior_card` does.
"""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import priors, schedules
from mgdm_jax.networks import unet
from mgdm_jax.training import steps

COLUMNS = tuple(f"{name}_t{t}" for name in ("val", "train") for t in steps.LEVELS)
"""Columns of metrics.csv that the loss table needs."""


def milestones(
    path: Path, shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0)
) -> list[dict[str, float]]:
    """Return the rows of a metrics.csv nearest to shares of the training.

    Rows without `COLUMNS` are skipped; of a step logged twice, after a resumption, the
    later row counts; a row nearest to two shares is returned once.

    Args:
      path: metrics.csv of a training.
      shares: of the file's last step.

    Returns:
      "step", "share" (the actual one) and `COLUMNS` of each; empty without such rows.
    """
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    complete = [s for s, row in rows.items() if all(row.get(c) for c in COLUMNS)]
    if not complete:
        return []
    last = max(rows)
    chosen = {
        min(complete, key=lambda step, goal=share * last: abs(step - goal))
        for share in shares
    }
    return [
        {"step": step, "share": step / last}
        | {column: float(rows[step][column]) for column in COLUMNS}
        for step in sorted(chosen)
    ]


def hours(path: Path) -> float | None:
    """Return what the training of a metrics.csv took; None where it has no rows.

    "seconds" counts from each start: where it falls, the training had been resumed.
    """
    if not path.is_file():
        return None
    with path.open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    if not seconds:
        return None
    ends = [a for a, b in itertools.pairwise([*seconds, 0.0]) if b < a]
    return sum(ends) / 3600


def eps_losses(spec: priors.PriorSpec, params: Any, images: np.ndarray) -> np.ndarray:
    """Return the ε-losses at `steps.LEVELS`, computed as in training.

    Args:
      spec: facts of the prior.
      params: its weights as shipped.
      images: [n, h, w] or [n, h, w, 2], operator units.
    """
    apply = unet.make_apply(unet.UNetConfig.from_fields(spec.network))
    alpha_bar = jnp.asarray(schedules.discrete_vp(spec.schedule), jnp.float32)
    evaluate = steps.losses_by_level(apply, spec.prediction, alpha_bar, steps.LEVELS)
    channels = images.reshape(*images.shape[:3], -1)
    x_net = jnp.asarray(spec.scale * channels + spec.offset, jnp.float32)
    return np.asarray(jax.jit(evaluate)(params, x_net))


class Nearest(NamedTuple):
    """The nearest slice of a bank to each of n queries.

    Attributes:
      distance: [n] √(1 - r²) in [0, 1], r the correlation: what remains of the query
        after the least-squares fit of the slice's gain and offset, relative to the
        query's own deviation. 0 is a copy.
      index: [n] slice of the bank.
      flipped: [n] whether it was mirrored left to right.
      shift: [n, 2] rows and columns by which the window moved over the slice.
    """

    distance: np.ndarray
    index: np.ndarray
    flipped: np.ndarray
    shift: np.ndarray


def nearest(queries: np.ndarray, bank: np.ndarray, max_shift: int = 4) -> Nearest:
    """Return the nearest slices, mirrored and moved by whole pixels where that helps.

    The margin that a shift may uncover is left out of the query. Gain and offset are
    fitted because no training image keeps its stored contrast.

    Args:
      queries: magnitudes [n, h, w].
      bank: magnitudes [m, h, w].
      max_shift: largest shift in pixels along rows and columns.
    """
    h, w = (size - 2 * max_shift for size in bank.shape[1:])
    margin = max_shift
    targets = _standardise(queries[:, margin : margin + h, margin : margin + w])
    n = len(queries)
    best = np.full(n, -1.0, np.float32)
    index, flipped = np.zeros(n, int), np.zeros(n, bool)
    shift = np.zeros((n, 2), int)
    for flip in (False, True):
        slices = bank[:, :, ::-1] if flip else bank
        for y, x in itertools.product(range(2 * max_shift + 1), repeat=2):
            correlation = _standardise(slices[:, y : y + h, x : x + w]) @ targets.T
            better = correlation.max(0) > best
            best = np.maximum(best, correlation.max(0))
            index[better] = correlation.argmax(0)[better]
            flipped[better], shift[better] = flip, (y - max_shift, x - max_shift)
    correlation = np.clip(best, 0, 1).astype(np.float64)
    return Nearest(np.sqrt(1 - correlation**2), index, flipped, shift)


def _standardise(images: np.ndarray) -> np.ndarray:
    """Return rows [n, h w] of zero mean and unit norm; zeros for flat images."""
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms, np.finfo(np.float32).tiny)
