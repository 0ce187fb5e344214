"""Sparse-view CT seen as masked views of a full scan, A = m R / ‖m R‖.

The form in which sinograms are merged: Song et al., 2021,
https://arxiv.org/abs/2111.08005, replace measured views of R x and reconstruct by FBP.
Shapes as in `radon`, with v the views of the full scan.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

from mgdm_jax.operators import projection, radon
from mgdm_jax.types import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SparseViews:
    """A full-scan projector of which some views are measured.

    Attributes:
      full: projector of all views, ‖R‖ = 1.
      measured: [v] float32, 1 where a view is measured, else 0.
      gain: 1 / ‖m R‖, so that ‖A‖ = 1, as of the projector of the measured views alone.
    """

    full: radon.ParallelBeam
    measured: Array
    gain: Array

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(size, size)`."""
        return self.full.image_shape

    @property
    def scale(self) -> Array:
        """Pixel units in one operator unit, as `ParallelBeam.scale`."""
        return self.full.scale / self.gain

    @property
    def has_spectrum(self) -> bool:
        """False: the views left out are not removed from R's spectrum."""
        return False

    def forward(self, image: Array) -> Array:
        """Return the sinogram [v, d] with unmeasured views zero."""
        return self.gain * self.sampled(self.full.forward(image))

    def adjoint(self, measurement: Array) -> Array:
        """Return the unfiltered back-projection of the measured views."""
        return self.full.adjoint(self.gain * self.sampled(measurement))

    def sampled(self, measurement: Array) -> Array:
        """Return the sinogram [v, d] with unmeasured views zero."""
        return self.measured[:, None] * measurement

    def placed(self, few: Array) -> Array:
        """Return the measured views [n_views, d] among zeros [v, d]."""
        every = self.measured.size // few.shape[0]
        return jnp.zeros((self.measured.size, few.shape[1])).at[::every].set(few)

    def baseline(self, measurement: Array) -> Array:
        """Return the filtered back-projection of the measured views."""
        share = self.measured.size / self.measured.sum()
        return share * radon.fbp(self.full, self.sampled(measurement) / self.gain)


def sparse_views(n_views: int, size: int, n_full: int = 180) -> SparseViews:
    """Return evenly spaced measured views within at least n_full of a full scan.

    Args:
      n_views: measured views over 180 degrees, the first at 0.
      size: image side and number of detectors.
      n_full: fewest views of the full scan, a multiple of n_views above it is taken.

    Raises:
      ValueError: if n_views is not positive.
    """
    if n_views < 1:
        raise ValueError(f"n_views must be at least 1, got {n_views}.")
    factor = -(-n_full // n_views)
    total = factor * n_views
    measured = np.zeros(total, np.float32)
    measured[::factor] = 1
    full = radon.parallel_beam(np.arange(total) * (180 / total), size)
    norm = projection.spectral_norm(
        scipy.sparse.csr_array(radon.to_sparse(full)[np.repeat(measured > 0, size)])
    )
    return SparseViews(full, jnp.asarray(measured), jnp.float32(1 / norm))
