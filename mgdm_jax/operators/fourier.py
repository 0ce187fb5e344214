"""Single-coil MRI, A = M F, and the border between centred and corner k-space.

F is the orthonormal 2-D DFT, M a 0/1 sampling mask. The closed form is appendix A.3's,
after Zhu et al., https://arxiv.org/abs/2305.08995, made exact for real images, where
frequencies k and -k carry the same information.

Shapes: masks [h, w]; images [h, w] (real) or [h, w, 2] (complex); k-space [h, w]
complex64 in `numpy.fft` order.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mgdm_jax.types import Array, SpectralGain


def to_complex(image: Array) -> Array:
    """Return [..., h, w] complex64 from real and imaginary parts [..., h, w, 2]."""
    return jax.lax.complex(image[..., 0], image[..., 1])


def to_channels(image: Array) -> Array:
    """Return [..., h, w, 2] float32 from complex [..., h, w]."""
    return jnp.stack([image.real, image.imag], axis=-1)


def negate_frequencies(kspace: Array) -> Array:
    """Return K(-k) for K(k) [h, w] in corner order; at even sizes -N/2 maps to N/2."""
    return jnp.roll(jnp.flip(kspace, (0, 1)), (1, 1), (0, 1))


def apply_gain(gain: SpectralGain, squared_values: Array) -> Array:
    """Return g(s²) where s² > 0 and zero elsewhere; g never sees a zero.

    Every filter here is Aᴴ g(AAᴴ), which is zero where s = 0 whatever g(0): selecting
    keeps 1/(s² + λ) finite at λ = 0.
    """
    positive = squared_values > 0
    return jnp.where(positive, gain(jnp.where(positive, squared_values, 1.0)), 0.0)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class MaskedFourier:
    """A = M F on one coil; make it with `masked_fourier`.

    Attributes:
      mask: [h, w] float32, 1 where sampled, else 0; corner order.
      complex_image: whether images are [h, w, 2] rather than real [h, w].
    """

    mask: Array
    complex_image: bool = dataclasses.field(metadata={"static": True})

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: `(h, w)` or `(h, w, 2)`."""
        h, w = self.mask.shape[-2:]
        return (h, w, 2) if self.complex_image else (h, w)

    @property
    def has_spectrum(self) -> bool:
        """True: the Fourier transform diagonalises AᴴA."""
        return True

    def forward(self, image: Array) -> Array:
        """Return the sampled k-space [h, w] of `image`."""
        image = to_complex(image) if self.complex_image else image
        return self.sampled(jnp.fft.fft2(image, norm="ortho"))

    def adjoint(self, measurement: Array) -> Array:
        """Return the zero-filled image; its real part for real-valued images."""
        image = jnp.fft.ifft2(self.sampled(measurement), norm="ortho")
        return to_channels(image) if self.complex_image else image.real

    def spectral_filter(self, gain: SpectralGain, residual: Array) -> Array:
        """Return g(AᴴA) Aᴴ r exactly, in one FFT.

        Complex images: AAᴴ = 1 on the samples. Real images: AᴴA is diagonal in the
        Fourier domain with s² = (M(k) + M(-k)) / 2, and Aᴴ r has the Hermitian part
        of M r as its spectrum.
        """
        residual = self.sampled(residual)
        squared_values = self.mask
        if not self.complex_image:
            residual = (residual + negate_frequencies(residual).conj()) / 2
            squared_values = (self.mask + negate_frequencies(self.mask)) / 2
        weights = apply_gain(gain, squared_values)
        image = jnp.fft.ifft2(weights.astype(residual.dtype) * residual, norm="ortho")
        return to_channels(image) if self.complex_image else image.real

    def sampled(self, measurement: Array) -> Array:
        """Return k-space [h, w], zero where the mask is."""
        return jnp.where(self.mask > 0, measurement, 0)

    def baseline(self, measurement: Array) -> Array:
        """Return the zero-filled image."""
        return self.adjoint(measurement)


def masked_fourier(mask: ArrayLike, image_shape: tuple[int, ...]) -> MaskedFourier:
    """Return the single-coil operator of a sampling mask.

    Args:
      mask: [h, w], zeros and ones, corner order (`centred_to_corner_mask`).
      image_shape: `(h, w)` for real images, `(h, w, 2)` for complex ones.

    Raises:
      ValueError: if the shapes disagree or the mask is not made of zeros and ones.
    """
    if len(image_shape) not in (2, 3) or tuple(image_shape[2:]) not in ((), (2,)):
        raise ValueError(f"image_shape must be (h, w) or (h, w, 2), got {image_shape}.")
    mask = binary_mask(mask, (image_shape[0], image_shape[1]))
    return MaskedFourier(jnp.asarray(mask), len(image_shape) == 3)


def binary_mask(mask: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Return `mask` as float32 after checking its shape and its values.

    Raises:
      ValueError: if the shape is not `shape` or a value is neither zero nor one.
    """
    mask = np.asarray(mask, np.float32)
    if mask.shape != tuple(shape):
        raise ValueError(f"mask must have shape {tuple(shape)}, got {mask.shape}.")
    if not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"mask must hold zeros and ones only, got values from {mask.min()} "
            f"to {mask.max()}."
        )
    return mask


def centred_to_corner(kspace: ArrayLike) -> Array:
    """Convert fastMRI's k-space to the operators'.

    fastMRI's is fftshift(fft2(ifftshift(image))): DC at N//2 *and* the image's origin
    at its centre. The operators' is fft2(image). Besides the reordering, the shift of
    the origin is a phase exp(-2πi k (N//2) / N) per axis. It multiplies, so unsampled
    zeros stay zero; any parity.

    Args:
      kspace: [..., h, w] complex, centred, orthonormal.

    Returns:
      [..., h, w] complex64, corner order.

    Raises:
      ValueError: if `kspace` has fewer than two axes.
    """
    kspace = _as_kspace(kspace)
    corner = jnp.fft.ifftshift(kspace, (-2, -1))
    return corner * _origin_phase(kspace.shape).conj()


def corner_to_centred(kspace: ArrayLike) -> Array:
    """Convert the operators' k-space to fastMRI's; inverse of `centred_to_corner`.

    Raises:
      ValueError: if `kspace` has fewer than two axes.
    """
    kspace = _as_kspace(kspace)
    return jnp.fft.fftshift(kspace * _origin_phase(kspace.shape), (-2, -1))


def centred_to_corner_mask(mask: np.ndarray) -> np.ndarray:
    """Return `mask` [..., h, w] in corner order; a mask carries no phase."""
    return np.fft.ifftshift(mask, (-2, -1))


def corner_to_centred_mask(mask: np.ndarray) -> np.ndarray:
    """Return `mask` [..., h, w] in centred order."""
    return np.fft.fftshift(mask, (-2, -1))


def _as_kspace(kspace: ArrayLike) -> Array:
    kspace = jnp.asarray(kspace, jnp.complex64)
    if kspace.ndim < 2:
        raise ValueError(f"kspace must have shape [..., h, w], got {kspace.shape}.")
    return kspace


def _origin_phase(shape: tuple[int, ...]) -> np.ndarray:
    """Return exp(2πi (k_h (h//2) / h + k_w (w//2) / w)), broadcast to `shape`."""
    phase = np.outer(_axis_phase(shape[-2]), _axis_phase(shape[-1]))
    return np.broadcast_to(phase.astype(np.complex64), shape)


def _axis_phase(n: int) -> np.ndarray:
    """Return exp(2πi k (n//2) / n) for k = 0 … n-1; exactly ±1 at even n."""
    if n % 2 == 0:
        return (1 - 2 * (np.arange(n) % 2)).astype(np.complex128)
    return np.exp(2j * np.pi * (np.arange(n) * (n // 2) % n) / n)
