"""From `config.sweep` to what is varied; values that make no sense are refused."""

import copy
import math
from typing import Any, NamedTuple

from mgdm_jax import hyperparameters, methods
from mgdm_jax.defaults import Config
from mgdm_jax.sweeps import Numbers

STRATEGIES = ("grid", "random", "bayesian")
"""Values of `config.sweep.strategy`."""

UPPER = {"zeta": math.inf, "lam": math.inf, "rho": math.inf, "eta": 1.0}
"""Largest value of each number; the least is 0."""


class Space(NamedTuple):
    """What a sweep varies.

    Attributes:
      n_steps: numbers of steps, each with candidates of its own.
      values: of each of ζ, λ, ρ, η: a grid's values; for the other strategies
        (low, high); one value for what stays as it is.
    """

    n_steps: tuple[int, ...]
    values: dict[str, tuple[float, ...]]


def read(config: Config) -> Space:
    """Return the space of `config.sweep`; the rest is as `run` would take it.

    Raises:
      ValueError: with one line, if there is nothing to vary, or a value makes no sense.
    """
    sweep = config.sweep
    if sweep.strategy not in STRATEGIES:
        raise ValueError(
            f"sweep.strategy must be one of {', '.join(STRATEGIES)}, got "
            f"{sweep.strategy!r}."
        )
    given = {name: tuple(sweep[name]) for name in Numbers._fields if sweep[name]}
    for name, values in given.items():
        _check_used(name, config)
        _check_numbers(name, values)
        if sweep.strategy != "grid":
            _check_range(name, values, sweep.strategy)
    _check_n_steps(sweep.n_steps)
    drawn = any(len(values) > 1 for values in given.values())
    if not (given or sweep.n_steps) or (sweep.strategy != "grid" and not drawn):
        raise ValueError(
            "there is nothing to sweep; give values of a number or more, such as "
            "--config.sweep.zeta='(0.1,1.0)'."
        )
    fixed = hyperparameters.numbers(_at_first(config, given))
    return Space(
        n_steps=_distinct(map(int, sweep.n_steps)) or (config.sampler.n_steps,),
        values={
            name: _distinct(map(float, given.get(name, (value,))))
            for name, value in fixed.items()
        },
    )


def _at_first(config: Config, given: dict[str, tuple]) -> Config:
    """Return the configuration at the first values: what varies needs no tuned one."""
    config = copy.deepcopy(config)
    for name, values in given.items():
        group = config.sampler if name == "eta" else config.guidance
        group[name] = float(values[0])
    return config


def _check_used(name: str, config: Config) -> None:
    used, uses = methods.used(config), methods.facts(config).uses
    if name not in used:
        on = " without noise" if name in uses else ""
        raise ValueError(
            f"sweep.{name} would change nothing: {config.method}{on} uses "
            f"{', '.join(used)}."
        )


def _check_numbers(name: str, values: tuple) -> None:
    upper = UPPER[name]
    if not all(_is_number(v) and 0 <= v <= upper and v < math.inf for v in values):
        most = "" if upper == math.inf else f" up to {upper:g}"
        raise ValueError(
            f"sweep.{name} must hold numbers that are not negative{most}, got {values}."
        )


def _check_range(name: str, values: tuple[float, ...], strategy: str) -> None:
    if len(values) > 2 or (len(values) == 2 and not values[0] < values[1]):
        raise ValueError(
            f"sweep.{name} must be (low, high), low below high, for "
            f"sweep.strategy={strategy}, got {values}."
        )


def _check_n_steps(values: tuple) -> None:
    if not all(_is_number(v) and v == int(v) and v >= 1 for v in values):
        raise ValueError(f"sweep.n_steps must hold whole numbers from 1, got {values}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _distinct(values: Any) -> tuple:
    """Return the values in their order, repeats left out."""
    return tuple(dict.fromkeys(values))
