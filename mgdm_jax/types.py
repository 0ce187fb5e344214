"""The few types that travel between modules, and the contracts behind them.

Conventions, valid everywhere below the command line:

* Everything is written for ONE example; batch with `jax.vmap`.
* Images are real arrays in operator units: `[h, w]` (real-valued images) or
  `[h, w, 2]` (real and imaginary part). They become complex only inside an
  operator, so every cotangent is real and no conjugate can go missing.
* k-space is complex `[h, w]` or `[c, h, w]`, orthonormal, in `numpy.fft` order
  (DC in the corner); the borders convert from and to the centred order.
* Sinograms are real `[v, d]`: views by detectors.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

Array = jax.Array
Params = Any
"""A pytree of network parameters."""

SpectralGain = Callable[[Array], Array]
"""A scalar function g of the squared singular values, applied elementwise."""


class LinearOperator(Protocol):
    """A linear map A from images to measurements, scaled to ‖A‖ = 1.

    Implementations are frozen dataclass pytrees whose arrays (masks, sensitivities,
    weights) are leaves, so that changing them never recompiles.
    """

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: `(h, w)` or `(h, w, 2)`."""
        ...

    @property
    def has_spectrum(self) -> bool:
        """Whether it is a `SpectralOperator` ready for use; static."""
        ...

    def forward(self, image: Array) -> Array:
        """Return A x; unsampled k-space positions are zero."""
        ...

    def adjoint(self, measurement: Array) -> Array:
        """Return Aᴴ y for the real inner product ⟨a, b⟩ = Re Σ conj(a) b."""
        ...

    def sampled(self, measurement: Array) -> Array:
        """Return y, zero where nothing is sampled: the place of noise."""
        ...

    def baseline(self, measurement: Array) -> Array:
        """Return the image a scanner would show: zero-filled, or FBP."""
        ...


class SpectralOperator(LinearOperator, Protocol):
    """An operator whose AAᴴ (or AᴴA) is diagonalised once and for all."""

    def spectral_filter(self, gain: SpectralGain, residual: Array) -> Array:
        """Return Aᴴ g(AAᴴ) r = g(AᴴA) Aᴴ r as an image.

        Every data-consistency rule is one choice of g: 1/(s² + λ) is the proximal
        step, 1/s² the pseudo-inverse, r²/(r² s² + σ²) ΠGDM's.
        """
        ...


class Problem(NamedTuple):
    """One inverse problem y = A x + n.

    Attributes:
      operator: A, a `LinearOperator` pytree.
      measurement: y, in the operator's range.
      noise_std: σ_y in operator units, per real component; scalar.
    """

    operator: Any
    measurement: Array
    noise_std: Array | float = 0.0


class Guidance(NamedTuple):
    """The numbers of Algorithm 2; float32 scalars, all sweepable.

    Attributes:
      zeta: ζ ≥ 0, step of the inner gradient (line 8); DPS's step as well.
      lam: λ ≥ 0, weight of the proximity term (line 9).
      rho: ρ ≥ 0, step of the discrepancy gradient (line 11).
      eta: η in [0, 1], share of fresh noise in the update (lines 4-5).
    """

    zeta: Array
    lam: Array
    rho: Array
    eta: Array

    @classmethod
    def of(cls, *, zeta: float, lam: float, rho: float, eta: float) -> "Guidance":
        """Return the numbers as float32 scalars: an int 0 would compile anew."""
        return cls(*(jnp.float32(value) for value in (zeta, lam, rho, eta)))


class TimeGrid(NamedTuple):
    """The reverse process from noisy to clean, one row a step.

    Attributes:
      t: [k] int32, time index handed to the network.
      alpha_bar: [k] ᾱ_t at the start of the step.
      alpha_bar_next: [k] ᾱ_s at its end; 1 at the last step.
      look_back: [k] how far x0_bar is extrapolated from the step before, see
        `schedules.look_back`; 0 for updates of first order.
    """

    t: Array
    alpha_bar: Array
    alpha_bar_next: Array
    look_back: Array


class Denoised(NamedTuple):
    """What the prior says about x_t, in operator units.

    Attributes:
      x0_hat: estimate of the clean image (Tweedie, eq. 11).
      eps: predicted noise, so that x_t = √ᾱ_t x0 + √(1-ᾱ_t) ε when nothing is
        clipped; its unit is the operator's as well (standard deviation
        `noise_scale`, not 1).
    """

    x0_hat: Array
    eps: Array


DenoiseFn = Callable[[Params, Array, Array, Array], Denoised]
"""(params, x_t, t, alpha_bar) -> Denoised, for one example."""


class Estimate(NamedTuple):
    """One linearisation of the denoiser at x_t: all that a guidance step may use.

    Attributes:
      x_t: the noisy image.
      x0_hat: its denoised estimate.
      eps: the predicted noise.
      pullback: cotangent of x0_hat -> Jᵀ cotangent, J = ∂x0_hat/∂x_t. A method that
        never calls it pays for no backward pass.
      x0_hat_fn: x_t -> x0_hat, for the second-order option `through_inner`, and the
        scores of `samplers.ve`.
      alpha_bar: ᾱ_t.
      alpha_bar_next: ᾱ_s.
      noise_scale: standard deviation of ε in operator units.
      x0_before: x0_bar of the step before; x_t where there was none.
      look_back: see `TimeGrid`.
    """

    x_t: Array
    x0_hat: Array
    eps: Array
    pullback: Callable[[Array], Array]
    x0_hat_fn: Callable[[Array], Array]
    alpha_bar: Array
    alpha_bar_next: Array
    noise_scale: Array
    x0_before: Array
    look_back: Array


class StepInfo(NamedTuple):
    """Diagnostics of one step, stacked by the scan.

    Attributes:
      data_residual: ‖y - A x0_bar‖ / ‖y‖.
      prox_gap: ‖Aᴴ(A x0_bar - y) + λ(x0_bar - x0_tilde)‖ / ‖Aᴴy‖, zero for an exact
        proximal step and for methods without one.
      finite: whether the new state holds finite numbers only.
      x0_hat: [m, …image] estimates at the few steps that a process keeps, see
        `loop.kept_steps`; None of one step, and where none is kept.
      x0_bar: of one step, what the next may look back at; None once stacked.
    """

    data_residual: Array
    prox_gap: Array
    finite: Array
    x0_hat: Array | None = None
    x0_bar: Array | None = None


StepFn = Callable[[Array, Estimate, Problem, Guidance], tuple[Array, StepInfo]]
"""(key, estimate, problem, guidance) -> (x_s, info): one reverse step of a method."""
