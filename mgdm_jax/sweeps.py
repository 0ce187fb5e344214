"""Many hyperparameter sets in one program."""

import itertools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from mgdm_jax.types import Array, Guidance


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
    rows = list(itertools.product(zeta, lam, rho, eta))
    return Guidance(*(jnp.asarray(column, jnp.float32) for column in zip(*rows)))  # noqa: B905


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
