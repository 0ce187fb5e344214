"""Missing pixels, A = M in the image itself.

Shapes: masks, images and measurements [h, w].
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
class Inpainting:
    """A keeps some pixels and zeroes the others; make it with `inpainting`.

    Attributes:
      mask: [h, w] float32, 1 where a pixel is known, else 0.
    """

    mask: Array

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(h, w)`."""
        h, w = self.mask.shape[-2:]
        return (h, w)

    @property
    def has_spectrum(self) -> bool:
        """True: AAᵀ is the mask."""
        return True

    def forward(self, image: Array) -> Array:
        """Return the known pixels of `image`, zero elsewhere."""
        return self.sampled(image)

    def adjoint(self, measurement: Array) -> Array:
        """Return the known pixels of `measurement`, zero elsewhere."""
        return self.sampled(measurement)

    def spectral_filter(self, gain: SpectralGain, residual: Array) -> Array:
        """Return g(1) r at the known pixels."""
        return fourier.apply_gain(gain, self.mask) * self.sampled(residual)

    def sampled(self, measurement: Array) -> Array:
        """Return y [h, w], zero where the mask is."""
        return jnp.where(self.mask > 0, measurement, 0)

    def baseline(self, measurement: Array) -> Array:
        """Return the known pixels in black."""
        return self.sampled(measurement)


def inpainting(mask: ArrayLike) -> Inpainting:
    """Return the operator of a mask [h, w] of zeros and ones.

    Raises:
      ValueError: if the mask is not made of zeros and ones.
    """
    mask = np.asarray(mask, np.float32)
    return Inpainting(jnp.asarray(fourier.binary_mask(mask, mask.shape)))
