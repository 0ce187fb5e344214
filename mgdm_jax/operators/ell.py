"""Sparse matrices as padded rows (ELLPACK), whose products are gathers alone."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

from mgdm_jax.types import Array


class Ell(NamedTuple):
    """A sparse matrix, every row padded to k entries (weight 0), entries first.

    Attributes:
      index: [k, rows] int32, columns.
      weight: [k, rows] float32.
    """

    index: Array
    weight: Array

    def matvec(self, x: Array) -> Array:
        """Return M x [rows] for x [columns]; gathers only.

        XLA's CPU backend writes the gathered [k, rows] out before it sums; adding one
        entry of every row at a time is up to twice as fast, ten times under `vmap`.
        """
        x = jnp.asarray(x)
        return jax.lax.platform_dependent(
            self.index, self.weight, x, cpu=_sum_in_turn, default=_sum_at_once
        )


def _sum_at_once(index: Array, weight: Array, x: Array) -> Array:
    return (weight * x.at[index].get(mode="promise_in_bounds")).sum(0)


def _sum_in_turn(index: Array, weight: Array, x: Array) -> Array:
    def add(total: Array, entry: tuple[Array, Array]) -> tuple[Array, None]:
        i, w = entry
        return total + w * x.at[i].get(mode="promise_in_bounds"), None

    total = jnp.zeros(index.shape[1:], weight.dtype)
    return jax.lax.scan(add, total, (index, weight))[0]


def from_sparse(matrix: scipy.sparse.csr_array) -> Ell:
    """Return a float32 matrix, as many entries a row as its fullest has."""
    counts = np.diff(matrix.indptr)
    kept = np.arange(counts.max())[None] < counts[:, None]
    index = np.zeros(kept.shape, np.int32)
    weight = np.zeros(kept.shape, np.float32)
    index[kept], weight[kept] = matrix.indices, matrix.data
    return Ell(jnp.asarray(index.T), jnp.asarray(weight.T))
