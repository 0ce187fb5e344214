"""The data residual over the steps, as coordinates of a drawing."""

import dataclasses
import math

import numpy as np

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 12, 60
MOST_POINTS = 400
"""Steps drawn of a long run, evenly spaced."""


@dataclasses.dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what stands there."""

    at: float
    text: str


@dataclasses.dataclass(frozen=True)
class Line:
    """A method's curve: SVG points of its median and of the band of all images."""

    label: str
    median: str
    band: str


@dataclasses.dataclass(frozen=True)
class Row:
    """A step, from 1, and each method's median, least and greatest residual."""

    step: int
    values: list[tuple[float, float, float] | None]


@dataclasses.dataclass(frozen=True)
class Curve:
    """A drawing of `WIDTH` by `HEIGHT`, and the same as a short table."""

    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    rows: list[Row]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(labels: list[str], residuals: list[np.ndarray]) -> Curve | None:
    """Return the curves, or None where no residual is a positive number.

    Args:
      labels: of the methods.
      residuals: of each, [n, k]; what is not finite or zero is left out.
    """
    clean = [np.where(np.isfinite(r) & (r > 0), r, np.nan) for r in residuals]
    clean = [r.astype(np.float64) for r in clean]
    known = np.concatenate([r[~np.isnan(r)] for r in clean])
    if not known.size:
        return None
    low = math.floor(math.log10(known.min()))
    high = max(math.ceil(math.log10(known.max())), low + 1)
    last = max(r.shape[1] for r in residuals)

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (step - 1) / max(last - 1, 1), 1)

    def y(exponent: float) -> float:
        share = (high - exponent) / (high - low)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * share, 1)

    stride = max(1, math.ceil((high - low) / 6))
    steps = np.unique(np.linspace(1, last, 5).round().astype(int))
    return Curve(
        lines=[_line(*pair, x, y) for pair in zip(labels, clean, strict=True)],
        x_ticks=[Tick(x(step), str(step)) for step in steps],
        y_ticks=[Tick(y(e), f"1e{e}") for e in range(low, high + 1, stride)],
        rows=[Row(int(s), [_spread(r, s) for r in clean]) for s in _few(last)],
    )


def _line(label: str, residual: np.ndarray, x, y) -> Line:
    """Return a method's curve; x and y place a step and a power of ten."""
    k = residual.shape[1]
    shown = np.unique(np.linspace(1, k, min(k, MOST_POINTS)).round().astype(int))
    found = [(step, _spread(residual, step)) for step in shown]
    placed = [(x(s), *(y(math.log10(v)) for v in three)) for s, three in found if three]
    upper = [f"{at},{most}" for at, _, _, most in placed]
    lower = [f"{at},{least}" for at, _, least, _ in reversed(placed)]
    median = " ".join(f"{at},{middle}" for at, middle, _, _ in placed)
    return Line(label, median, " ".join(upper + lower))


def _few(last: int) -> list[int]:
    return np.unique(np.linspace(1, last, 9).round().astype(int)).tolist()


def _spread(residual: np.ndarray, step: int) -> tuple[float, float, float] | None:
    """Return median, least and greatest of the images at a step, from 1."""
    if step > residual.shape[1]:
        return None
    values = residual[:, step - 1]
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    return float(np.median(values)), float(values.min()), float(values.max())
