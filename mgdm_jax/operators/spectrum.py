"""Spectral gains g(s²), and the eigendecompositions that make them exact.

Every data-consistency rule here is x + Aᴴ g(AAᴴ)(y - A x) for some scalar g. This
module holds the usual g and, in float64 on the host, the decompositions of AAᵀ (CT)
and of the rows of AᴴA (multi-coil MRI), the former cached on disk.

Eigenvalues within 1e-14 of zero are rounding errors of an exact null space and are
set to zero; `fourier.apply_gain` drops those directions.
"""

import contextlib
import functools
import hashlib
import logging
import os
import pathlib
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.sparse
from threadpoolctl import threadpool_limits

from mgdm_jax.types import Array, SpectralGain

MAX_DUAL_ROWS = 8000
"""Largest views · detectors for `dual_eigh`: 0.5 GB a matrix, minutes of work."""

SQUARED_CUTOFF = 1e-6
"""Default s² below which a direction counts as unseen: ‖A‖ = 1 and float32 noise of
6e-8 is amplified by at most 1/s = 1000 in the dual form (CT), by 1/s² where the gain
follows Aᴴ (several coils)."""

_CACHE_VERSION = 1
_NULL = 1e-14
_DAMAGED = (zipfile.BadZipFile, RuntimeError)
"""What a damaged archive raises; the latter where a flipped bit says "encrypted"."""


class Eigen(NamedTuple):
    """Eigenvalues, ascending and not negative, and eigenvectors in columns.

    NumPy arrays on the host, JAX's inside an operator.
    """

    values: Any
    vectors: Any


def proximal_gain(lam: Array, cutoff: float = SQUARED_CUTOFF) -> SpectralGain:
    """Return g(s²) = 1/(s² + λ), the proximal step's.

    Where s² + λ ≤ `cutoff` it is zero: exact for any λ > `cutoff`, the truncated
    pseudo-inverse at λ = 0.

    Args:
      lam: λ ≥ 0, scalar; may be traced.
      cutoff: smallest denominator, in units of ‖A‖².
    """

    def gain(squared_values: Array) -> Array:
        return _select_inverse(squared_values + lam, cutoff)

    return gain


def pseudo_inverse_gain(cutoff: float = SQUARED_CUTOFF) -> SpectralGain:
    """Return g(s²) = 1/s² where s² > `cutoff`, else 0 (DDNM's A†).

    On masks s² is 0, 1/2 or 1 and the cut-off has no effect; on CT the spectrum decays
    to zero and it sets what is trusted: noise grows by up to 1/√cutoff.
    """

    def gain(squared_values: Array) -> Array:
        return _select_inverse(squared_values, cutoff)

    return gain


def _select_inverse(x: Array, cutoff: float) -> Array:
    kept = x > cutoff
    return jnp.where(kept, 1.0 / jnp.where(kept, x, 1.0), 0.0)


def row_eigh(columns: np.ndarray, sensitivities: np.ndarray) -> Eigen:
    """Diagonalise Σ_c S_cᴴ F_wᴴ M F_w S_c for every image row.

    Args:
      columns: [W], 1 at sampled columns, corner order.
      sensitivities: [c, h, w] complex, w ≤ W: the image is zero in what W has more.

    Returns:
      values [h, w] float32 and vectors [h, w, w] complex64.
    """
    w = sensitivities.shape[-1]
    kernel = np.fft.ifft(np.asarray(columns, np.float64))
    lag = (np.arange(w)[:, None] - np.arange(w)[None]) % columns.size
    toeplitz = kernel[lag]

    def diagonalise(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        maps = maps.astype(np.complex128)
        values, vectors = np.linalg.eigh(toeplitz * (maps.conj().T @ maps))
        return _clean(values), vectors.astype(np.complex64)

    # A row is too small for LAPACK's threads to gain: each takes one, rows share them.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor() as pool:
        rows = list(pool.map(diagonalise, np.moveaxis(sensitivities, 1, 0)))
    values, vectors = zip(*rows, strict=True)
    return Eigen(np.stack(values), np.stack(vectors))


def dual_eigh(
    matrix: scipy.sparse.csr_array, cache_dir: str | os.PathLike | None
) -> Eigen:
    """Diagonalise AAᵀ for a sparse A, once per geometry.

    Args:
      matrix: A [m, n] as a CSR array.
      cache_dir: folder for the results (see `default_cache_dir`); None for no cache.
        Files are named by a hash of the matrix, written aside and renamed, and
        rebuilt when they cannot be read.

    Returns:
      values [m] and vectors [m, m], float32.

    Raises:
      ValueError: if A has more than `MAX_DUAL_ROWS` rows.
    """
    n_rows = len(matrix.indptr) - 1
    if n_rows > MAX_DUAL_ROWS:
        raise ValueError(
            f"matrix must have at most {MAX_DUAL_ROWS} rows for a dual spectrum, got "
            f"{n_rows}; use conjugate gradients instead."
        )
    name = functools.partial(fingerprint, matrix)
    build = functools.partial(_build_dual, matrix)
    return cached("dual", name, (n_rows,), build, cache_dir)


def cached(
    kind: str,
    name: Callable[[], str],
    shape: tuple[int, ...],
    build: Callable[[], Eigen],
    cache_dir: str | os.PathLike | None,
) -> Eigen:
    """Return what `build` makes, from the cache where it is there.

    Args:
      kind: first part of the file's name.
      name: () -> the other part, see `fingerprint`.
      shape: of the eigenvalues; eigenvectors have their last axis twice.
      build: () -> float32 arrays.
      cache_dir: as in `dual_eigh`.
    """
    if cache_dir is None:
        return build()
    path = pathlib.Path(cache_dir) / f"{kind}-{name()}.npz"
    eigen = _load(path, shape)
    if eigen is None:
        logging.info("diagonalising AAᵀ of this scan, once; kept in %s", path.parent)
        eigen = build()
        with contextlib.suppress(OSError):  # full, or read-only: it is made again
            _store(path, eigen)
    return eigen


def default_cache_dir() -> pathlib.Path:
    """Return the folder named by MGDM_JAX_CACHE, else ~/.cache/mgdm_jax."""
    named = os.environ.get("MGDM_JAX_CACHE")
    return pathlib.Path(named or pathlib.Path.home() / ".cache" / "mgdm_jax")


def _build_dual(matrix: scipy.sparse.csr_array) -> Eigen:
    a = matrix.astype(np.float64)
    gram = (a @ a.T).toarray()
    values, vectors = scipy.linalg.eigh(gram, overwrite_a=True, driver="evd")
    return Eigen(_clean(values), vectors.astype(np.float32))


def _clean(values: np.ndarray) -> np.ndarray:
    return np.where(values > _NULL, values, 0).astype(np.float32)


def fingerprint(matrix: scipy.sparse.csr_array) -> str:
    """Return what a matrix is known by in the cache."""
    shape = len(matrix.indptr) - 1, matrix.shape[1]  # type: ignore[index]
    return digest(shape, matrix.indptr, matrix.indices, matrix.data)


def digest(shape: tuple[int, ...], *parts: np.ndarray) -> str:
    """Return a hash of arrays and the shape of what they stand for."""
    found = hashlib.sha256(f"{_CACHE_VERSION} {shape}".encode())
    for part in parts:
        found.update(f"{part.dtype}".encode())
        found.update(np.ascontiguousarray(part).data)
    return found.hexdigest()


def _load(path: pathlib.Path, shape: tuple[int, ...]) -> Eigen | None:
    """Return the stored spectrum, or None where there is none or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            eigen = Eigen(stored["values"], stored["vectors"])
    except (*_DAMAGED, OSError, EOFError, KeyError, ValueError):
        return None
    shapes = (eigen.values.shape, eigen.vectors.shape)
    fits = shapes == (shape, (*shape, shape[-1]))
    return eigen if fits and eigen.vectors.dtype == np.float32 else None


def _store(path: pathlib.Path, eigen: Eigen) -> None:
    """Write beside `path`, then rename: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, values=eigen.values, vectors=eigen.vectors)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
