"""Circular harmonics: what AAᵀ of evenly spread parallel views is, but for the pixels.

A turn of the image by one view's step moves every view into the next, and 180° turns a
view into its mirror image. A Fourier transform over the views, they and their mirror
images in a circle, therefore takes the AAᵀ of a round image apart into one small
matrix a harmonic (Cormack 1963, https://doi.org/10.1063/1.1729798). Pixels are not
round: the matrices are those of AAᵀ averaged over turns, and (AAᵀ + λ)⁻¹ made of them
preconditions conjugate gradients where the exact spectrum is out of reach.

Shapes: sinograms [v, d]; k = d // 2 + 1 detectors from the centre outwards.
"""

import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

from mgdm_jax.operators import spectrum
from mgdm_jax.types import Array

FLOOR = 3e-4
"""Smallest eigenvalue trusted: below, pixels matter more than the mean over turns."""

MOST_TURNS = 32
"""Turns of the average; all of them gain one iteration in ten."""

MOST_NUMBERS = 10**8
"""Of the eigenvectors: 1,500 views of 512 detectors, at first held in float64."""

ViewFn = Callable[[int], scipy.sparse.csr_array]
"""Index of a view -> its rows of A, [d, n]."""

_HIGHEST = jax.lax.Precision.HIGHEST


def evenly_spread(directions: np.ndarray) -> bool:
    """Return whether views follow each other in equal steps over 180°.

    Args:
      directions: [v, 2], cosine and sine of each angle.
    """
    angles = np.unwrap(np.arctan2(directions[:, 1], directions[:, 0]))
    step = np.pi / len(angles)
    turns = np.diff(angles) / step
    return bool(np.allclose(turns, np.sign(turns[:1]), atol=1e-3))


def within_reach(n_views: int, size: int) -> bool:
    """Return whether the harmonics of so many views of `size` detectors can be held."""
    return (n_views + 1) * (size // 2 + 1) ** 2 <= MOST_NUMBERS


def decompose(
    view: ViewFn,
    n_views: int,
    size: int,
    fingerprint: Callable[[], str],
    cache_dir: str | os.PathLike | None,
) -> spectrum.Eigen:
    """Diagonalise every harmonic of AAᵀ, averaged over turns, once per geometry.

    A view at a time: seconds for 160 × 160 pixels and 180 views, minutes for 512 × 512
    and 720.

    Args:
      view: rows of A; views evenly spread.
      n_views: v.
      size: d.
      fingerprint: () -> what the geometry is known by in the cache.
      cache_dir: as in `spectrum.dual_eigh`.

    Returns:
      values [v + 1, k] and vectors [v + 1, k, k], float32.
    """
    shape = (n_views + 1, size // 2 + 1)

    def build() -> spectrum.Eigen:
        blocks = np.fft.rfft(_mean_blocks(view, n_views, size), axis=0).real
        # The central detector is its own mirror image: counted twice, weighed half.
        weight = _folding(shape[1]) / np.sqrt(2)
        blocks *= weight[:, None] * weight
        values, vectors = np.linalg.eigh((blocks + blocks.transpose(0, 2, 1)) / 2)
        return spectrum.Eigen(
            np.maximum(values, FLOOR).astype(np.float32), vectors.astype(np.float32)
        )

    return spectrum.cached("harmonics", fingerprint, shape, build, cache_dir)


def solve(harmonics: spectrum.Eigen, lam: Array, sinogram: Array) -> Array:
    """Return (AAᵀ + λ)⁻¹ r, as if AAᵀ were its average over turns.

    Symmetric and positive definite at any λ ≥ 0.

    Args:
      harmonics: of `decompose`.
      lam: λ, scalar.
      sinogram: r [v, d].
    """
    n_views, size = sinogram.shape
    centre = size // 2
    outwards = sinogram[:, centre:]
    outwards = jnp.pad(outwards, ((0, 0), (0, centre + 1 - outwards.shape[1])))
    circle = jnp.concatenate([outwards, sinogram[:, centre::-1]])
    weight = jnp.asarray(_folding(centre + 1), jnp.float32)[None]
    coefficients = jnp.fft.rfft(circle * weight, axis=0)

    def inverse(part: Array) -> Array:
        u = harmonics.vectors
        part = jnp.einsum("njk,nj->nk", u, part, precision=_HIGHEST)
        part = part / (harmonics.values + lam)
        return jnp.einsum("njk,nk->nj", u, part, precision=_HIGHEST)

    solved = jax.lax.complex(inverse(coefficients.real), inverse(coefficients.imag))
    circle = jnp.fft.irfft(solved, 2 * n_views, axis=0) / weight
    mirrored = circle[n_views:, :0:-1]
    return jnp.concatenate([mirrored, circle[:n_views]], axis=1)[:, :size]


def _folding(n: int) -> np.ndarray:
    """Return [n], the weight of a detector and its mirror image: 1 alone, else √2."""
    return np.sqrt(np.where(np.arange(n) == 0, 1.0, 2.0))


def _mean_blocks(view: ViewFn, n_views: int, size: int) -> np.ndarray:
    """Return [2v, k, k], the mean of what a view has in common with the j-th next.

    Views, then their mirror images: both from the centre outwards.
    """
    k, n_circle = size // 2 + 1, 2 * n_views
    firsts = np.unique(np.arange(MOST_TURNS) * n_circle // MOST_TURNS)
    turned = scipy.sparse.vstack(
        [_halves(view(i % n_views), size)[i // n_views] for i in firsts]
    )
    total = np.zeros((n_circle, k, k))
    for i in range(n_views):
        for side, half in enumerate(_halves(view(i), size)):
            shared = (turned @ half.T).toarray().reshape(len(firsts), k, k)
            total[(i + side * n_views - firsts) % n_circle] += shared
    return total / len(firsts)


def _halves(rows: scipy.sparse.csr_array, size: int) -> tuple:
    """Return a view's right half, and its left one, [k, n] from the centre outwards."""
    centre = size // 2
    empty = scipy.sparse.csr_array((1, rows.shape[1]))  # type: ignore[index]
    padded = scipy.sparse.csr_array(scipy.sparse.vstack([rows, empty]), dtype=float)
    ahead = np.arange(centre, 2 * centre + 1)
    return padded[np.minimum(ahead, size)], padded[np.arange(centre, -1, -1)]
