"""DDNM+: null-space projection that accounts for measurement noise.

    x0_bar = x0_hat - Σ_t A†(A x0_hat - y),  x_s = √ᾱ_s x0_bar + noise

In a direction of singular value s with σ_s = √(1-ᾱ_s), and σ_y in the network's units,
Σ_t is 1 and the noise fresh, of variance σ_s² - ᾱ_s σ_y²/s², where that is not
negative; else Σ_t is s σ_s √(1-η²) / (√ᾱ_s σ_y), the noise η σ_s z. Where s = 0 the
noise is DDNM's, σ_s (η z + √(1-η²) ε).

Wang et al., "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model",
2022, https://arxiv.org/abs/2212.00490, section 3.3 and appendix. With noise that is
DDRM's rule at η_b = 1 (`singular_directions`); where σ_y = 0 it is DDNM, which keeps
the predicted noise.
"""

import jax.numpy as jnp

from mgdm_jax.operators import spectrum
from mgdm_jax.samplers import loop
from mgdm_jax.samplers import singular_directions as directions
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(cutoff: float = spectrum.SQUARED_CUTOFF) -> StepFn:
    """Return DDNM+'s step; the operator must know its spectrum.

    Args:
      cutoff: squared singular value s² up to which a direction counts as unseen.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        directions.require_spectrum(problem, "ddnm_plus")
        x0_hat, eta = estimate.x0_hat, guidance.eta
        correct, spread = directions.gains(estimate, problem, eta, 1.0, cutoff)
        x0_bar = directions.corrected(problem, x0_hat, correct)
        unseen, swap = directions.noises(key, estimate, problem, eta, spread, cutoff)
        swap = jnp.where(problem.noise_std > 0, swap, 0.0)
        x_s = jnp.sqrt(estimate.alpha_bar_next) * x0_bar + unseen + swap
        return x_s, loop.diagnose(problem, x0_hat, x0_bar, None, x_s)

    return step
