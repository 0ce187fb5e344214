"""Methods on the same images: whether they are the same, and who leads by how much."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from mgdm_jax import metrics
from mgdm_jax.report.finished import Finished

SAME = ("task", "data")
"""Sections of the configuration that must agree."""

ELSEWHERE = ("data.path", "data.embedded", "data.n_images")
"""Fields of them that the images themselves tell about."""

TOLERANCE = 1e-3
"""Of the largest value: programs of other batch sizes round differently."""

MEASURES = {"psnr": ("PSNR / dB", 1), "ssim": ("SSIM", 1), "nmse": ("NMSE", -1)}
"""Column of metrics.csv -> heading, and the sign of what is better."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A method's mean difference to the first one, image by image.

    Attributes:
      measure: heading.
      mean: of the differences.
      low: end of the bootstrap interval, or of the range of few images.
      high: the other end.
      n: images that both have a number for.
      n_better: those of them where this method is the better one.
    """

    measure: str
    mean: float
    low: float
    high: float
    n: int
    n_better: int


def check(runs: Sequence[Finished]) -> None:
    """Refuse runs that were not made of the same measurements with the same seed.

    Raises:
      ValueError: with one line, naming the first thing that differs.
    """
    first = runs[0]
    for other in runs[1:]:
        reason = _differs(first, other)
        if reason:
            raise ValueError(
                f"{other.name} cannot be compared with {first.name}: {reason}."
            )


def _differs(first: Finished, other: Finished) -> str:
    """Return in what two runs are no pair, or nothing."""
    shapes = [run.images["reconstruction"].shape for run in (first, other)]
    if shapes[0] != shapes[1]:
        one, two = ("x".join(map(str, shape)) for shape in shapes)
        return f"it holds {two} images, the other {one}"
    for section in SAME:
        for field in sorted({*first.config[section], *other.config[section]}):
            values = [run.config[section].get(field) for run in (first, other)]
            name = f"{section}.{field}"
            if values[0] != values[1] and name not in ELSEWHERE:
                return f"{name} is {values[1]!r}, the other's is {values[0]!r}"
    seeds = [run.config["sampler"]["seed"] for run in (first, other)]
    if seeds[0] != seeds[1]:
        return f"sampler.seed is {seeds[1]}, the other's is {seeds[0]}"
    if not _alike(first.images.get("reference"), other.images.get("reference")):
        return "the references are other images"
    if not _alike(first.images["baseline"], other.images["baseline"]):
        return "the measurements differ, as the baseline images tell"
    return ""


def _alike(one: np.ndarray | None, two: np.ndarray | None) -> bool:
    if one is None or two is None:
        return one is two
    return bool(np.abs(one - two).max() <= TOLERANCE * np.abs(one).max())


def differences(first: Finished, other: Finished) -> list[Difference]:
    """Return how a method differs from the first one, of each of `MEASURES`."""
    found = []
    for column, (heading, sign) in MEASURES.items():
        gap = _paired(first.scores, other.scores, column)
        if gap.size:
            ends = metrics.interval_or_range(gap)
            better = int((sign * gap > 0).sum())
            found.append(
                Difference(heading, float(gap.mean()), *ends, gap.size, better)
            )
    return found


def _paired(first: Any, other: Any, column: str) -> np.ndarray:
    """Return the differences of the images for which both have a finite number."""
    if column not in first:
        return np.zeros(0)
    with np.errstate(invalid="ignore"):  # inf - inf of equal images
        gap = other[column] - first[column]
    return gap[np.isfinite(gap)]
