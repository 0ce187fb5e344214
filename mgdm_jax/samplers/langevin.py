"""Posterior sampling by annealed Langevin dynamics.

    x ← x + α (s(x) + Aᴴ(y - A x)/(σ_t² + σ_y²)) + √(2α) z,  α = ζ σ_t², s the score

Jalal et al., "Robust Compressed Sensing MRI with Deep Generative Priors", 2021,
https://arxiv.org/abs/2108.01368, on the VE levels of a VP prior.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.operators import linalg
from mgdm_jax.samplers import loop, ve
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(*, n_inner: int = 3) -> StepFn:
    """Return one noise level: so many steps, stable for ζ < 1.

    The image is Tweedie's mean where the last step of all starts. λ, ρ and η have no
    part.

    Args:
      n_inner: Langevin steps, each a network evaluation.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        level, operator = ve.level_of(estimate), problem.operator
        size = guidance.zeta * level.sigma**2
        deviation = level.sigma * linalg.root(2.0 * guidance.zeta)
        trust = 1.0 / (level.sigma**2 + problem.noise_std**2)

        def moved(x: Array, score: Array, inner_key: Array) -> tuple[Array, Array]:
            z = jax.random.normal(inner_key, x.shape, x.dtype)
            back = operator.adjoint(problem.measurement - operator.forward(x))
            mean = x + level.sigma**2 * score
            return x + size * (score + trust * back) + deviation * z, mean

        def again(
            state: tuple[Array, Array], inner_key: Array
        ) -> tuple[tuple[Array, Array], None]:
            return moved(state[0], level.score(state[0]), inner_key), None

        keys = jax.random.split(key, n_inner)
        x = estimate.x_t / jnp.sqrt(estimate.alpha_bar)
        first = moved(x, level.score_here, keys[0])
        (x, mean), _ = jax.lax.scan(again, first, keys[1:])
        x = jnp.where(level.sigma_next > 0, x, mean)
        x_s = x * jnp.sqrt(estimate.alpha_bar_next)
        return x_s, loop.diagnose(problem, x, x, None, x_s)

    return step
