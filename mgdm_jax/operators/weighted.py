"""Measurements of unequal noise, each divided by its own: W A, and noise of one level.

y = A x + n, n_i ~ N(0, σ_i²), becomes W y = W A x + σ_y w, w white, with W = σ_y / σ_i.
A method that knows one σ_y then weighs each measurement as its noise asks, and the
proximal step is penalised weighted least squares (Sauer and Bouman 1993,
https://doi.org/10.1109/78.193196), with the prior's estimate for penalty:
argmin_x ½ Σ_i (σ_y/σ_i)² (A x - y)_i² + λ/2 ‖x - x0_tilde‖².
"""

import dataclasses
from typing import Any

import jax

from mgdm_jax.operators import linalg
from mgdm_jax.types import Array, LinearOperator


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Weighted:
    """The operator W A; `levelled` gives W.

    Attributes:
      operator: A.
      weight: W > 0, real, shaped like a measurement.
    """

    operator: Any
    weight: Any

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.operator.image_shape

    @property
    def has_spectrum(self) -> bool:
        """False: A's says nothing of W A."""
        return False

    def forward(self, image: Array) -> Array:
        """Return W A x."""
        measurement = self.operator.forward(image)
        return self.weight.astype(measurement.dtype) * measurement

    def adjoint(self, measurement: Array) -> Array:
        """Return Aᴴ W y."""
        weight = self.weight.astype(measurement.dtype)
        return self.operator.adjoint(weight * measurement)

    def sampled(self, measurement: Array) -> Array:
        """Return what A samples of y."""
        return self.operator.sampled(measurement)

    def baseline(self, measurement: Array) -> Array:
        """Return A's baseline image, of the measurement without its weights."""
        weight = self.weight.astype(measurement.dtype)
        return self.operator.baseline(measurement / weight)


def levelled(operator: LinearOperator, deviations: Array) -> tuple[Array, Array]:
    """Return W [n, …] and the levels σ_y [n] of their noise, so that each ‖W A‖ is 1.

    Args:
      operator: A.
      deviations: [n, …] σ_i > 0 of n measurements, operator units.
    """

    def norm(deviation: Array) -> Array:
        weighted = Weighted(operator, 1.0 / deviation)
        # Rays add up what they meet: the first direction stands far above the next.
        return linalg.operator_norm(weighted, jax.random.key(0), n_iter=30)

    levels = 1.0 / jax.lax.map(norm, deviations)
    spread = levels.reshape(-1, *(1,) * (deviations.ndim - 1))
    return spread / deviations, levels
