"""Posterior sampling by annealed Langevin dynamics.

Jalal et al., "Robust Compressed Sensing MRI with Deep Generative Priors", 2021,
https://arxiv.org/abs/2108.01368, eq. 6, on the VE levels of a VP prior.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.samplers import loop, ve
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(*, n_inner: int = 3) -> StepFn:
    """Return one noise level, x ← x + α (score + Aᴴ(y - A x)/(σ_t² + σ_y²)) + √(2α) z.

    α = ζ σ_t²; stable for ζ < 1. The image is Tweedie's mean where the last step of all
    starts. λ, ρ and η have no part.

    Args:
      n_inner: Langevin steps, each a network evaluation.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        level, operator = ve.level_of(estimate), problem.operator
        size = guidance.zeta * level.sigma**2
        trust = 1.0 / (level.sigma**2 + problem.noise_std**2)

        def move(x: Array, inner_key: Array) -> tuple[Array, Array]:
            z = jax.random.normal(inner_key, x.shape, x.dtype)
            score = level.score(x)
            back = operator.adjoint(problem.measurement - operator.forward(x))
            moved = x + size * (score + trust * back) + jnp.sqrt(2.0 * size) * z
            return moved, x + level.sigma**2 * score

        x = estimate.x_t / jnp.sqrt(estimate.alpha_bar)
        x, means = jax.lax.scan(move, x, jax.random.split(key, n_inner))
        x = jnp.where(level.sigma_next > 0, x, means[-1])
        x_s = x * jnp.sqrt(estimate.alpha_bar_next)
        return x_s, loop.diagnose(problem, x, x, None, x_s)

    return step
