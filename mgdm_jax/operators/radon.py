"""Parallel-beam CT: a matched pair A, Aᵀ of gathers, FBP, and the exact dual spectrum.

The geometry is scikit-image's `radon(circle=True)`: the image is rotated about pixel
(N//2, N//2) with bilinear weights and its columns are summed; pixels outside the
inscribed circle count as zero. A is divided by its spectral norm, so a sinogram in
pixel units enters as `sinogram / op.scale`.

Shapes: images [h, h] float32; sinograms [v, d] float32 with d = h detectors.
"""

import dataclasses
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike

from mgdm_jax.operators import (
    ell,
    fourier,
    harmonics,
    projection,
    rotation,
    spectrum,
)
from mgdm_jax.types import Array, SpectralGain

MAX_STORED = 10**8
"""Weights that are held, roughly counted; Aᵀ's as well, 1.6 GB in all."""

_HIGHEST = jax.lax.Precision.HIGHEST


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ParallelBeam:
    """The projector R / ‖R‖; make it with `parallel_beam`.

    Use `adjoint` rather than differentiating `forward`: the derivative of a gather is
    a slow scatter.

    Attributes:
      rows: A by rows (views · detectors).
      columns: Aᵀ by rows (pixels).
      directions: [v, 2], cosine and sine of each angle.
      scale: ‖R‖ in pixels, scalar: operator units = pixel units / scale.
      size: image side and number of detectors.
      dual_vectors: [m, m] eigenvectors (columns) of AAᵀ, m = v · d, or None.
      dual_values: [m] eigenvalues s², or None.
      harmonics: of AAᵀ, roughly (see `harmonics`), to precondition with, or None.
    """

    rows: ell.Ell | rotation.Rows
    columns: ell.Ell | rotation.Columns
    directions: Array
    scale: Array
    size: int = dataclasses.field(metadata={"static": True})
    dual_vectors: Array | None = None
    dual_values: Array | None = None
    harmonics: spectrum.Eigen | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(size, size)`."""
        return (self.size, self.size)

    @property
    def n_rows(self) -> int:
        """Views times detectors."""
        return self.directions.shape[-2] * self.size

    @property
    def is_stored(self) -> bool:
        """Whether weights are held, or computed where they are used."""
        return isinstance(self.rows, ell.Ell)

    @property
    def has_spectrum(self) -> bool:
        """Whether `with_dual_spectrum` has made this operator."""
        return self.dual_vectors is not None

    def forward(self, image: Array) -> Array:
        """Return the sinogram [v, d] of `image`, in operator units."""
        return self.rows.matvec(image.reshape(-1)).reshape(-1, self.size)

    def adjoint(self, measurement: Array) -> Array:
        """Return the unfiltered back-projection; zero outside the circle."""
        return self.columns.matvec(measurement.reshape(-1)).reshape(self.image_shape)

    def sampled(self, measurement: Array) -> Array:
        """Return the sinogram itself: every view is measured."""
        return measurement

    def baseline(self, measurement: Array) -> Array:
        """Return the filtered back-projection."""
        return fbp(self, measurement)

    def spectral_filter(self, gain: SpectralGain, residual: Array) -> Array:
        """Return Aᵀ U g(Λ) Uᵀ r, with AAᵀ = U Λ Uᵀ.

        Raises:
          ValueError: if the operator carries no dual spectrum.
        """
        if self.dual_vectors is None or self.dual_values is None:
            raise ValueError(
                "spectral_filter needs a dual spectrum (with_dual_spectrum), got none; "
                "use conjugate gradients instead."
            )
        u = self.dual_vectors
        # r U, not Uᵀ r: XLA's CPU takes 15 times as long over a transposed operand.
        coefficients = jnp.matmul(residual.reshape(-1), u, precision=_HIGHEST)
        coefficients = fourier.apply_gain(gain, self.dual_values) * coefficients
        return self.adjoint(jnp.matmul(u, coefficients, precision=_HIGHEST))


def parallel_beam(
    angles_deg: ArrayLike, size: int, *, stored: bool | None = None
) -> ParallelBeam:
    """Return the projector of a size × size image, without a dual spectrum.

    Under 1 s for 23 views at 160.

    Args:
      angles_deg: [v] projection angles in degrees, scikit-image's `theta`.
      size: image side and number of detectors.
      stored: whether to hold the weights, about 16 bytes a non-zero, some 3 · size² ·
        views of them, or to compute them where they are used, see `rotation`: slower.
        By default up to `MAX_STORED` are held.

    Raises:
      ValueError: if `angles_deg` is no vector of finite numbers or `size` < 2.
    """
    angles = np.asarray(angles_deg, np.float64)
    if angles.ndim != 1 or not angles.size or not np.isfinite(angles).all():
        raise ValueError(
            f"angles_deg must be a vector of finite numbers, got shape {angles.shape}."
        )
    if size < 2:
        raise ValueError(f"size must be at least 2, got {size}.")
    angles = np.deg2rad(angles)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    directions = jnp.asarray(directions, jnp.float32)
    if stored is None:
        stored = 3 * size**2 * len(angles) <= MAX_STORED
    if stored:
        matrix = projection.matrix(angles, size)
        norm = projection.spectral_norm(matrix)
        matrix = scipy.sparse.csr_array(matrix / norm, dtype=np.float32)
        rows = ell.from_sparse(matrix)
        columns = ell.from_sparse(scipy.sparse.csr_array(matrix.T))
        scale = jnp.float32(norm)
    else:
        scale = rotation.norm(rotation.Views(directions, jnp.float32(1), size))
        views = rotation.Views(directions, scale, size)
        rows, columns = rotation.Rows(views), rotation.Columns(views)
    return ParallelBeam(rows, columns, directions, scale, size)


def with_dual_spectrum(
    op: ParallelBeam, cache_dir: str | os.PathLike | None
) -> ParallelBeam:
    """Return `op` with the eigendecomposition of AAᵀ (see `spectrum.dual_eigh`).

    The float32 weights themselves are diagonalised, in float64.

    Raises:
      ValueError: above `spectrum.MAX_DUAL_ROWS` views · detectors.
    """
    eigen = spectrum.dual_eigh(to_sparse(op), cache_dir)
    return dataclasses.replace(
        op,
        dual_vectors=jnp.asarray(eigen.vectors),
        dual_values=jnp.asarray(eigen.values),
    )


def with_harmonics(
    op: ParallelBeam, cache_dir: str | os.PathLike | None
) -> ParallelBeam:
    """Return `op` with its circular harmonics (see `harmonics.decompose`).

    Raises:
      ValueError: unless views are evenly spread over 180°.
    """
    directions = np.asarray(op.directions)
    n_views = len(directions)
    if not harmonics.evenly_spread(directions):
        raise ValueError(
            "circular harmonics need views in equal steps over 180 degrees, got "
            f"others ({n_views} views); use conjugate gradients without them."
        )
    name = functools.partial(spectrum.digest, (op.n_rows, op.size**2), directions)
    eigen = harmonics.decompose(_views(op), n_views, op.size, name, cache_dir)
    return dataclasses.replace(
        op, harmonics=spectrum.Eigen(*(jnp.asarray(part) for part in eigen))
    )


def _views(op: ParallelBeam) -> harmonics.ViewFn:
    """Return what makes a view's rows of A, where they are not held, when asked."""
    if op.is_stored:
        matrix = to_sparse(op)
        return lambda i: matrix[i * op.size : (i + 1) * op.size]
    return lambda i: _sparse(op, np.asarray(op.directions)[i : i + 1])


def _sparse(op: ParallelBeam, directions: np.ndarray) -> scipy.sparse.csr_array:
    cosine, sine = np.asarray(directions, np.float64).T
    matrix = projection.matrix(np.arctan2(sine, cosine), op.size)
    return scipy.sparse.csr_array(matrix / float(op.scale), dtype=np.float32)


def to_sparse(op: ParallelBeam) -> scipy.sparse.csr_array:
    """Return A, float32 [v · d, h · h], as a SciPy CSR array."""
    if isinstance(op.rows, rotation.Rows):
        return _sparse(op, np.asarray(op.directions))
    index, weight = np.asarray(op.rows.index).T, np.asarray(op.rows.weight).T
    kept = weight != 0
    starts = np.concatenate([[0], np.cumsum(kept.sum(1))])
    shape = (len(index), op.size**2)
    return scipy.sparse.csr_array((weight[kept], index[kept], starts), shape=shape)


def fbp(op: ParallelBeam, measurement: Array) -> Array:
    """Return the filtered back-projection with the ramp filter.

    Equal to scikit-image's `iradon(filter_name="ramp", circle=True)` of the sinogram
    in pixel units, linear interpolation. It assumes angles evenly spread over 180°,
    is linear, and is *not* a pseudo-inverse: A fbp(y) ≠ y.

    Args:
      op: the projector.
      measurement: [v, d] sinogram in operator units.

    Returns:
      [h, h] image, zero outside the inscribed circle.

    References:
      Kak and Slaney, Principles of Computerized Tomographic Imaging, 1988, chapter 3.
    """
    filtered = _ramp_filter(measurement * op.scale)
    offset = jnp.arange(op.size, dtype=jnp.float32) - op.size // 2

    def add_view(image: Array, view: tuple[Array, Array]) -> tuple[Array, None]:
        profile, (cosine, sine) = view
        along = (cosine * offset)[None, :] - (sine * offset)[:, None]
        return image + _interpolate(profile, along + op.size // 2), None

    start = jnp.zeros(op.image_shape, jnp.float32)
    image, _ = jax.lax.scan(add_view, start, (filtered, op.directions))
    image = image * (np.pi / (2 * len(filtered)))
    return jnp.where(projection.inscribed_circle(op.size), image, 0.0)


def _ramp_filter(sinogram: Array) -> Array:
    """Return [v, d + 2]: inside the circle, rays reach one detector past the last."""
    size = sinogram.shape[-1]
    # scikit-image pads the detectors to the diagonal first: same padded length.
    padded = max(64, int(2 ** np.ceil(np.log2(2 * np.ceil(np.sqrt(2) * size)))))
    lag = np.minimum(np.arange(padded), padded - np.arange(padded))
    odd = lag % 2 == 1
    kernel = np.where(odd, -1 / (np.pi * np.where(odd, lag, 1)) ** 2, 0)
    kernel[0] = 0.25
    response = 2 * np.fft.rfft(kernel).real.astype(np.complex64)
    spectrum_ = jnp.fft.rfft(sinogram, padded) * jnp.asarray(response)[None]
    return jnp.fft.irfft(spectrum_, padded)[:, : size + 2]


def _interpolate(profile: Array, position: Array) -> Array:
    """Return `profile` [d + 2] at `position` [h, h], linearly; clipped to its range."""
    position = jnp.clip(position, 0.0, profile.shape[0] - 2.0)
    low = jnp.floor(position)
    index = low.astype(jnp.int32)
    left = profile.at[index].get(mode="promise_in_bounds")
    right = profile.at[index + 1].get(mode="promise_in_bounds")
    return left + (position - low) * (right - left)
