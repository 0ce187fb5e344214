"""Time travel: some steps lead back to more noise, for any method.

    x_s = √ᾱ_s x0_hat + √(1-ᾱ_s) z  where ᾱ_s ≤ ᾱ_t, else the method's step

Lugmayr et al., "RePaint", 2022, https://arxiv.org/abs/2201.09865, as Wang et al., 2022
(DDNM+), https://arxiv.org/abs/2212.00490, Algorithm 2, and its code use it: the way
back starts from the estimate before correction.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(step: StepFn) -> StepFn:
    """Return the step, but back to ᾱ_s where the grid leads to no less noise.

    Args:
      step: one reverse step of a method, on a grid of `schedules.travel_order`.
    """

    def travelling(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        step_key, back_key = jax.random.split(key)
        x_s, info = step(step_key, estimate, problem, guidance)
        alpha_bar_next, x0_hat = estimate.alpha_bar_next, estimate.x0_hat
        z = estimate.noise_scale * jax.random.normal(back_key, x_s.shape, x_s.dtype)
        back = jnp.sqrt(alpha_bar_next) * x0_hat + jnp.sqrt(1.0 - alpha_bar_next) * z
        # Coefficients of the step itself may be NaN on a way back: select, not mix.
        x_s = jnp.where(alpha_bar_next <= estimate.alpha_bar, back, x_s)
        return x_s, info._replace(finite=jnp.all(jnp.isfinite(x_s)))

    return travelling
