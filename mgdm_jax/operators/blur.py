"""Circular blur, diagonal in Fourier: A = F⁻¹ H F.

Shapes: images and measurements [h, w].
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mgdm_jax.operators import fourier
from mgdm_jax.types import Array, SpectralGain


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Blur:
    """Convolution with a point spread function; make it with `blur`.

    Attributes:
      transfer: [h, w] complex64, H(k) in corner order; max |H| = 1.
    """

    transfer: Array

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(h, w)`."""
        h, w = self.transfer.shape[-2:]
        return (h, w)

    @property
    def has_spectrum(self) -> bool:
        """True: s² = |H|²."""
        return True

    def forward(self, image: Array) -> Array:
        """Return the blurred image."""
        return jnp.fft.ifft2(self.transfer * jnp.fft.fft2(image)).real

    def adjoint(self, measurement: Array) -> Array:
        """Return the image blurred by the mirrored function."""
        return jnp.fft.ifft2(self.transfer.conj() * jnp.fft.fft2(measurement)).real

    def spectral_filter(self, gain: SpectralGain, residual: Array) -> Array:
        """Return F⁻¹ g(|H|²) H* F r, Wiener's filter for g(s²) = 1/(s² + λ)."""
        squared = self.transfer.real**2 + self.transfer.imag**2
        weights = fourier.apply_gain(gain, squared).astype(self.transfer.dtype)
        spectrum = self.transfer.conj() * jnp.fft.fft2(residual)
        return jnp.fft.ifft2(weights * spectrum).real

    def sampled(self, measurement: Array) -> Array:
        """Return y: every pixel is measured."""
        return measurement

    def baseline(self, measurement: Array) -> Array:
        """Return y, as blurred as it came."""
        return measurement


def blur(point_spread: ArrayLike) -> Blur:
    """Return the blur of a point spread function, scaled to ‖A‖ = 1.

    Args:
      point_spread: [h, w] real, its centre at [0, 0], as large as the image.

    Raises:
      ValueError: if it is zero throughout or not finite.
    """
    transfer = np.fft.fft2(np.asarray(point_spread, np.float64))
    largest = np.abs(transfer).max()
    if not (np.isfinite(largest) and largest > 0):
        raise ValueError("point_spread must be finite and not zero throughout.")
    return Blur(jnp.asarray(transfer / largest, jnp.complex64))


def gaussian_spread(size: tuple[int, int], std: float) -> np.ndarray:
    """Return a periodic Gaussian [h, w] of unit sum, centred at [0, 0].

    Args:
      size: (h, w).
      std: standard deviation in pixels, positive.

    Raises:
      ValueError: if `std` is not positive.
    """
    if std <= 0:
        raise ValueError(f"task.blur_std must be positive, got {std}.")
    profiles = []
    for n in size:
        distance = np.minimum(np.arange(n), n - np.arange(n))
        profiles.append(np.exp(-0.5 * (distance / std) ** 2))
    spread = np.outer(*profiles)
    return spread / spread.sum()
