"""DiffPIR: a proximal step whose weight follows the noise, ε recomputed from it.

Zhu et al., "Denoising Diffusion Models for Plug-and-Play Image Restoration", 2023,
https://arxiv.org/abs/2305.08995, Algorithm 1.
"""

import jax.numpy as jnp

from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import ddim, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(
    *, proximal_fn: proximal.ProximalFn = proximal.exact, noise: str = "ddnm"
) -> StepFn:
    """Return DiffPIR's step.

    The proximal weight is λ σ_y²/σ_t² with σ_t² = (1-ᾱ_t)/ᾱ_t, hence A† without noise;
    λ is 3 to 25 in the paper. Its share ζ of fresh noise is η² here.

    Args:
      proximal_fn: how the proximal step is solved.
      noise: see `ddim.coefficients`.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        x0_hat, alpha_bar = estimate.x0_hat, estimate.alpha_bar
        lam = guidance.lam * alpha_bar * proximal.noise_weight(problem, estimate)
        x0_bar = proximal_fn(problem, x0_hat, lam)
        eps = (estimate.x_t - jnp.sqrt(alpha_bar) * x0_bar) / jnp.sqrt(1.0 - alpha_bar)
        x_s = ddim.update(key, estimate, x0_bar, eps, guidance.eta, noise)
        return x_s, loop.diagnose(problem, x0_hat, x0_bar, lam, x_s)

    return step
