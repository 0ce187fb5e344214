"""MCG: DPS's gradient, then a projection onto the measurement at the step's noise.

    x_s = x + A†(√ᾱ_s y + √(1-ᾱ_s) A z - A x),  x of DPS's step

Chung et al., "Improving Diffusion Models for Inverse Problems using Manifold
Constraints", 2022, https://arxiv.org/abs/2206.00941, Algorithm 1. The published code
projects with a transpose that is no adjoint, or FBP; here A† is exact.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import dps, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(
    *,
    projection: proximal.ProximalFn = proximal.exact,
    residual: str = "norm",
    noise: str = "ddim",
) -> StepFn:
    """Return MCG's step, x_s ← x + A†(y_s - A x) for x of DPS.

    y_s = √ᾱ_s y + √(1-ᾱ_s) A z is the measurement diffused to the time of x_s.

    Args:
      projection: evaluated at λ = 0, as in `ddnm.make_step`.
      residual: see `dps.make_step`.
      noise: see `ddim.coefficients`.
    """
    descend = dps.make_step(residual=residual, noise=noise)

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        step_key, measurement_key = jax.random.split(key)
        x, _ = descend(step_key, estimate, problem, guidance)
        mean = jnp.sqrt(estimate.alpha_bar_next)
        z = estimate.noise_scale * jax.random.normal(measurement_key, x.shape, x.dtype)
        z = jnp.sqrt(1.0 - estimate.alpha_bar_next) * z
        # Without √(1-ᾱ_s) z and √ᾱ_s, y_s is y and x an image.
        clean = projection(problem, (x - z) / mean, jnp.zeros_like(guidance.lam))
        x_s = mean * clean + z
        x0_hat = estimate.x0_hat
        return x_s, loop.diagnose(problem, x0_hat, x0_hat, None, x_s)

    return step
