"""DiffPIR: a proximal step whose weight follows the noise, ε recomputed from it.

    x0_bar = argmin_x ½‖A x - y‖² + λ_t/2 ‖x - x0_hat‖²,  λ_t = λ σ_y² ᾱ_t/(1-ᾱ_t)
    ε_bar = (x_t - √ᾱ_t x0_bar) / √(1-ᾱ_t)
    x_s = √ᾱ_s x0_bar + √(1-ᾱ_s) (√(1-η²) ε_bar + η z)

with σ_y in the network's units. Zhu et al., "Denoising Diffusion Models for
Plug-and-Play Image Restoration", 2023, https://arxiv.org/abs/2305.08995, Algorithm 1.
"""

import jax.numpy as jnp

from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import ddim, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(
    *, proximal_fn: proximal.ProximalFn = proximal.exact, noise: str = "ddnm"
) -> StepFn:
    """Return DiffPIR's step.

    λ_t is zero without measurement noise, the step then A†; λ is 3 to 25 in the paper.
    Its share ζ of fresh noise is η² here, with `noise` as it is by default.

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
