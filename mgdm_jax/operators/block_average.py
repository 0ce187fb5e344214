"""Super-resolution from averages of k × k pixels.

A x = k · (mean of each block), so that ‖A‖ = 1: AAᵀ is the identity.

Shapes: images [h, w]; measurements [h/k, w/k].
"""

import dataclasses

import jax
import jax.numpy as jnp

from mgdm_jax.types import Array, SpectralGain


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BlockAverage:
    """Averages of blocks; make it with `block_average`.

    Attributes:
      size: (h, w) of an image.
      factor: k, pixels along a block's side.
    """

    size: tuple[int, int] = dataclasses.field(metadata={"static": True})
    factor: int = dataclasses.field(metadata={"static": True})

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(h, w)`."""
        return self.size

    @property
    def has_spectrum(self) -> bool:
        """True: AAᵀ is the identity."""
        return True

    def forward(self, image: Array) -> Array:
        """Return k times the blocks' means."""
        (h, w), k = self.size, self.factor
        return image.reshape(h // k, k, w // k, k).sum((1, 3)) / k

    def adjoint(self, measurement: Array) -> Array:
        """Return each value over k at the pixels of its block."""
        (h, w), k = self.size, self.factor
        spread = jnp.broadcast_to(measurement[:, None, :, None], (h // k, k, w // k, k))
        return spread.reshape(h, w) / k

    def spectral_filter(self, gain: SpectralGain, residual: Array) -> Array:
        """Return g(1) Aᵀ r."""
        return gain(jnp.ones_like(residual[0, 0])) * self.adjoint(residual)

    def sampled(self, measurement: Array) -> Array:
        """Return y: every block is measured."""
        return measurement

    def baseline(self, measurement: Array) -> Array:
        """Return the blocks' means, which is A†y."""
        return self.adjoint(measurement)


def block_average(size: tuple[int, int], factor: int) -> BlockAverage:
    """Return the operator for images [h, w] = `size`.

    Raises:
      ValueError: if the factor does not divide both sides.
    """
    if factor < 1 or size[0] % factor or size[1] % factor:
        raise ValueError(f"task.factor must divide both sides of {size}, got {factor}.")
    return BlockAverage((size[0], size[1]), factor)
