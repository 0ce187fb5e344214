"""DDRM: one diffusion a singular direction, measured ones conditioned on y.

    x_s = √ᾱ_s (x0_hat + Aᴴ g(AAᴴ)(y - A x0_hat)) + noise, where x_s has variance 1-ᾱ_s

Kawar et al., "Denoising Diffusion Restoration Models", 2022,
https://arxiv.org/abs/2201.11793, eq. 7 and 8; `singular_directions` says what g and the
noise are in each direction. Without measurement noise every measured one takes y and
fresh noise. x_T is white here; the paper puts √ᾱ_T y into it: of y 0.7 % at 100 steps.
"""

import jax.numpy as jnp

from mgdm_jax.operators import spectrum
from mgdm_jax.samplers import loop
from mgdm_jax.samplers import singular_directions as directions
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(*, eta_b: float = 1.0, cutoff: float = spectrum.SQUARED_CUTOFF) -> StepFn:
    """Return DDRM's step; the operator must know its spectrum.

    Args:
      eta_b: η_b in (0, 1], trust in y where it is less noisy than x_s.
      cutoff: squared singular value s² up to which a direction counts as unseen.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        directions.require_spectrum(problem, "ddrm")
        x0_hat, eta = estimate.x0_hat, guidance.eta
        correct, spread = directions.gains(estimate, problem, eta, eta_b, cutoff)
        x0_bar = directions.corrected(problem, x0_hat, correct)
        unseen, swap = directions.noises(key, estimate, problem, eta, spread, cutoff)
        x_s = jnp.sqrt(estimate.alpha_bar_next) * x0_bar + unseen + swap
        return x_s, loop.diagnose(problem, x0_hat, x0_bar, None, x_s)

    return step
