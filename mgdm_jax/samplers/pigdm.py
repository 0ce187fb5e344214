"""ΠGDM: guidance by the pseudo-inverse of the misfit, through the denoiser.

    x_s = √ᾱ_s x0_hat + c2 ε + c1 z + ζ √ᾱ_s √ᾱ_t Jᵀ v
    v = Aᴴ (AAᴴ + σ_y²/r_t²)⁻¹ (y - A x0_hat), r_t² = 1 - ᾱ_t in the network's units

Song et al., "Pseudoinverse-Guided Diffusion Models for Inverse Problems", 2023,
https://openreview.net/forum?id=9_gsMA8MRKQ, Algorithm 1.
"""

import jax.numpy as jnp

from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import ddim, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(
    *, projection: proximal.ProximalFn = proximal.exact, noise: str = "ddim"
) -> StepFn:
    """Return ΠGDM's step; ζ = 1 in the paper.

    v is what the proximal step at `proximal.noise_weight` adds to x0_hat.

    Args:
      projection: the proximal step; of an operator without a spectrum CG.
      noise: see `ddim.coefficients`.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        x0_hat = estimate.x0_hat
        x0_bar = projection(problem, x0_hat, proximal.noise_weight(problem, estimate))
        x_s = ddim.update(key, estimate, x0_hat, estimate.eps, guidance.eta, noise)
        scale = jnp.sqrt(estimate.alpha_bar_next * estimate.alpha_bar)
        x_s = x_s + guidance.zeta * scale * estimate.pullback(x0_bar - x0_hat)
        return x_s, loop.diagnose(problem, x0_hat, x0_hat, None, x_s)

    return step
