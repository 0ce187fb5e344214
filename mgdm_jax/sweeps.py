"""Many hyperparameter sets: which ones, and all of them in one program."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax.types import Array, Guidance


class Numbers(NamedTuple):
    """ζ, λ, ρ, η of one candidate: floats, which a table holds exactly."""

    zeta: float
    lam: float
    rho: float
    eta: float


def grid(
    *,
    zeta: Sequence[float],
    lam: Sequence[float],
    rho: Sequence[float],
    eta: Sequence[float],
) -> Guidance:
    """Return every combination, one a row: a `Guidance` of [s] arrays.

    The last argument varies fastest.
    """
    return stack(combinations({"zeta": zeta, "lam": lam, "rho": rho, "eta": eta}))


def combinations(values: Mapping[str, Sequence[float]]) -> list[Numbers]:
    """Return every combination of the values of ζ, λ, ρ, η; η varies fastest."""
    return [
        Numbers(*map(float, row))
        for row in itertools.product(*(values[name] for name in Numbers._fields))
    ]


def draw(
    values: Mapping[str, tuple[float, ...]], n: int, *, seed: int
) -> list[Numbers]:
    """Return n random candidates; those of a smaller n are the first of them.

    Args:
      values: of each of ζ, λ, ρ, η, (low, high) to draw between, log-uniformly where
        low is positive, or the one value it keeps.
      n: candidates.
      seed: the same one draws the same candidates.
    """
    names = Numbers._fields
    shares = np.random.default_rng(seed).random((n, len(names)))
    return [
        Numbers(*(_between(values[k], s) for k, s in zip(names, row, strict=True)))
        for row in shares.tolist()
    ]


def _between(ends: tuple[float, ...], share: float) -> float:
    """Return the value at a share of the way, with four digits for readers."""
    low, high = float(ends[0]), float(ends[-1])
    value = low * (high / low) ** share if low > 0 else low + share * (high - low)
    return min(max(float(f"{value:.4g}"), low), high)


def stack(rows: Sequence[Numbers]) -> Guidance:
    """Return candidates as a `Guidance` of [s] arrays."""
    columns = np.asarray(rows, np.float32).reshape(-1, len(Numbers._fields)).T
    return Guidance(*map(jnp.asarray, columns))


def over_guidance(
    evaluate: Callable[[Guidance], Array], guidance: Guidance, batch_size: int
) -> Array:
    """Return evaluate's result for each row, `batch_size` rows at a time.

    Args:
      evaluate: one `Guidance` of scalars -> any pytree of arrays.
      guidance: [s] arrays.
      batch_size: rows in memory at once; the rest wait in a `lax.map`.
    """
    return jax.lax.map(evaluate, guidance, batch_size=batch_size)
