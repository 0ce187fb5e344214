"""DDNM: null-space projection.

    x0_bar = x0_hat + A†(y - A x0_hat)
    x_s = √ᾱ_s x0_bar + √(1-ᾱ_s) (√(1-η²) ε + η z)

Wang et al., "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model",
2022, https://arxiv.org/abs/2212.00490, Algorithm 1.
"""

import jax.numpy as jnp

from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import ddim, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(
    *, projection: proximal.ProximalFn = proximal.exact, noise: str = "ddnm"
) -> StepFn:
    """Return DDNM's step.

    Args:
      projection: evaluated at λ = 0: `proximal.exact` is A† (of an operator without a
        spectrum some 100 steps of CG towards it: DDS),
        `proximal.fbp_residual` and `fbp_merge` put FBP in its place, as the paper.
      noise: see `ddim.coefficients`.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        x0_hat, zero = estimate.x0_hat, jnp.zeros_like(guidance.lam)
        x0_bar = projection(problem, x0_hat, zero)
        x_s = ddim.update(key, estimate, x0_bar, estimate.eps, guidance.eta, noise)
        return x_s, loop.diagnose(problem, x0_hat, x0_bar, zero, x_s)

    return step
