"""DPS: a DDPM step followed by a gradient step on the data misfit.

    x_s = √ᾱ_s x0_hat + c2 ε + c1 z - ζ ∇_{x_t} ‖y - A x0_hat‖

Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems", 2022,
https://arxiv.org/abs/2209.14687, Algorithm 1. The norm is taken per example; the
published code takes it over the batch, which couples the images of one.
"""

import jax.numpy as jnp

from mgdm_jax.guidance import inner
from mgdm_jax.samplers import ddim, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(*, residual: str = "norm", noise: str = "ddim") -> StepFn:
    """Return DPS's step, x_s ← DDIM(η) step - ζ ∇_{x_t} ‖y - A x0_hat‖.

    At η = 1 the first half is DDPM's ancestral step (small variance): ε is recomputed
    from the clipped x0_hat, as its posterior mean implies.

    Args:
      residual: "norm", as the published code, or "squared", as the paper's text.
      noise: see `ddim.coefficients`.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        x0_hat, alpha_bar = estimate.x0_hat, estimate.alpha_bar
        eps = (estimate.x_t - jnp.sqrt(alpha_bar) * x0_hat) / jnp.sqrt(1.0 - alpha_bar)
        x_s = ddim.update(key, estimate, x0_hat, eps, guidance.eta, noise)
        x_s = x_s - guidance.zeta * inner.gradient(estimate, problem, residual)
        return x_s, loop.diagnose(problem, x0_hat, x0_hat, None, x_s)

    return step
