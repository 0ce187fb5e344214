"""Coordinate searches over ζ, λ, ρ, η that never ask the same twice; see `tune`.

`evaluate` maps rows of numbers to the PSNR of each; `tried` holds rows with theirs.
"""

import math
from collections.abc import Callable, Mapping

from experiments import search

STRIDE = {"zeta": 1.5, "lam": 3.0, "rho": 2.0}
ETA_STRIDE = 0.1

MAX_DOUBLINGS = 4
PASSES = 2
MIN_GAIN = 0.05
"""A stride that gains less, in dB, is the last of its coordinate."""

CLIFF = 3.0
"""An upward stride that loses more, in dB, leads into divergence: keep from it."""

ANY: Mapping[str, float] = {}
"""No coordinate has a largest value, η aside."""


def attempt(
    evaluate: Callable, tried: list[dict], best: dict, name: str, values: tuple
) -> dict:
    """Return the best numbers after trying values of one coordinate.

    Args:
      evaluate: rows of numbers -> PSNR of each.
      tried: rows with their PSNR; new ones are appended, known ones not asked again.
      best: numbers to start from.
      name: the coordinate.
      values: what it is set to.
    """
    known = [{k: row[k] for k in best} for row in tried]
    asked = [best | {name: value} for value in values]
    asked = [row for row in asked if row not in known]
    if asked:
        psnr = evaluate(asked)
        tried.extend(r | {"psnr": float(v)} for r, v in zip(asked, psnr, strict=True))
    winner = max(tried, key=lambda row: row["psnr"])
    return {k: winner[k] for k in best}


def descend(
    space: search.Space,
    evaluate: Callable,
    best: dict,
    tried: list[dict],
    most: Mapping[str, float] = ANY,
) -> dict:
    """Return the best numbers of `PASSES` over the candidates of each coordinate."""
    for name, candidates in list(space.items()) * PASSES:
        best = attempt(evaluate, tried, best, name, candidates)
        largest = candidates[-1]
        for _ in range(0 if name == "eta" else MAX_DOUBLINGS):
            if best[name] < largest:
                break
            largest = 2 * largest
            if largest > most.get(name, math.inf):
                break
            best = attempt(evaluate, tried, best, name, (largest,))
    return best


def climb(
    space: search.Space,
    evaluate: Callable,
    best: dict,
    tried: list[dict],
    most: Mapping[str, float] = ANY,
) -> dict:
    """Return the best numbers after each coordinate went uphill as far as it gains.

    The start is tried first: `tried` holds no values of fewer steps. η = 1 beside it,
    as PSNR may fall and rise again on the way there, and does with more steps alone.
    """
    etas = {best["eta"], *space.get("eta", ())[-1:]}
    best = attempt(evaluate, tried, best, "eta", tuple(etas))
    for name, candidates in space.items():
        gain = math.inf
        while gain > MIN_GAIN:
            before, around = _top(tried), neighbours(name, best[name], candidates)
            around = tuple(v for v in around if v <= most.get(name, math.inf))
            best = attempt(evaluate, tried, best, name, around)
            gain = _top(tried) - before
    return best


def retreat(evaluate: Callable, best: dict, tried: list[dict]) -> dict:
    """Return the numbers, ζ or ρ a stride lower where a stride higher falls off."""
    for name in ("zeta", "rho"):
        value, stride = best[name], STRIDE[name]
        if not value:
            continue
        above = value_of(evaluate, tried, best | {name: value * stride})
        if above < value_of(evaluate, tried, best) - CLIFF:
            best = best | {name: value / stride}
            value_of(evaluate, tried, best)
    return best


def value_of(evaluate: Callable, tried: list[dict], numbers: dict) -> float:
    """Return the PSNR of numbers, evaluated and noted in `tried` unless known."""
    for row in tried:
        if all(row[k] == v for k, v in numbers.items()):
            return row["psnr"]
    psnr = float(evaluate([numbers])[0])
    tried.append(numbers | {"psnr": psnr})
    return psnr


def _top(tried: list[dict]) -> float:
    return max(row["psnr"] for row in tried)


def neighbours(
    name: str, value: float, candidates: tuple[float, ...]
) -> tuple[float, ...]:
    """Return the values one stride below and above; of 0 the least positive one."""
    if name == "eta":
        both = (round(value - ETA_STRIDE, 3), round(value + ETA_STRIDE, 3))
        return tuple(v for v in both if 0 <= v <= 1)
    if value == 0:
        return (next(v for v in candidates if v > 0),)
    return (value / STRIDE[name], value * STRIDE[name])
