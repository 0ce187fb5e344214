"""ScoreMed and Score-MRI: predictor–corrector sampling on VE, data merged in between.

At every level σ of `ve`, s the score, σ' the next level and every z drawn afresh:

    corrector:   x ← x + e s(x) + √(2e) z,  e = 2 (ζ ‖z‖ / ‖s(x)‖)²
    merge at σ:  x ← x + λ A†(y + σ A z - A x)
    predictor:   x ← x + (σ² - σ'²) s(x) + √(σ² - σ'²) z
    merge at σ'

ScoreMed: Song et al., "Solving Inverse Problems in Medical Imaging with Score-Based
Generative Models", 2021, https://arxiv.org/abs/2111.08005, Algorithms 1 and 2,
whose code has Re Aᴴ for A† of real images, and for CT Fourier slices.
Score-MRI, whose merges have z = 0: Chung & Ye, "Score-based Diffusion Models for
Accelerated MRI", 2022, https://arxiv.org/abs/2110.05243, Algorithm 2; its code runs a
network of magnitudes on real and imaginary parts apart, here the prior knows both.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.guidance import inner, proximal
from mgdm_jax.operators import linalg
from mgdm_jax.samplers import loop, ve
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(
    *, diffuse: bool, projection: proximal.ProximalFn = proximal.exact
) -> StepFn:
    """Return one noise level, two network evaluations.

    ζ is the corrector's signal-to-noise ratio, λ in [0, 1] the weight of the merge:
    below 1 where y is not trusted, always 1 at the end, as in ScoreMed's code; ρ and η
    have no part. ScoreMed merges first, as the end of the level before does here; only
    its very first merge, into noise of σ = 157, is left out.

    Args:
      diffuse: ScoreMed's merge; else Score-MRI's.
      projection: evaluated at λ = 0, as in `ddnm.make_step`.
    """

    def merged(
        key: Array, x: Array, problem: Problem, sigma: Array, weight: Array
    ) -> Array:
        z = (sigma if diffuse else 0.0) * jax.random.normal(key, x.shape, x.dtype)
        target = projection(problem, x - z, jnp.zeros_like(weight)) + z
        return x + weight * (target - x)

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        level, weight = ve.level_of(estimate), guidance.lam
        first, second, third, fourth = jax.random.split(key, 4)
        x = estimate.x_t / jnp.sqrt(estimate.alpha_bar)
        x = corrected(first, x, level, guidance.zeta)
        x = merged(second, x, problem, level.sigma, weight)
        x = predicted(third, x, level)
        weight = jnp.where(level.sigma_next > 0, weight, 1.0)
        x = merged(fourth, x, problem, level.sigma_next, weight)
        x_s = x * jnp.sqrt(estimate.alpha_bar_next)
        return x_s, loop.diagnose(problem, x, x, None, x_s)

    return step


def corrected(key: Array, x: Array, level: ve.Level, snr: Array) -> Array:
    """Return x = x_t/√ᾱ corrected; norms per example, the codes' over the batch."""
    z = jax.random.normal(key, x.shape, x.dtype)
    score = level.score_here
    ratio = linalg.norm(z) * inner.safe_reciprocal(linalg.norm(score))
    length = 2.0 * snr * ratio  # √(2e), smooth at ζ = 0
    return x + 0.5 * length**2 * score + length * z


def predicted(key: Array, x: Array, level: ve.Level) -> Array:
    """Return x after the predictor, Tweedie's mean at the last level."""
    variance = level.sigma**2 - level.sigma_next**2  # < 0 travelling back in time
    z = jax.random.normal(key, x.shape, x.dtype)
    z = jnp.where(level.sigma_next > 0, z, 0.0)
    return x + variance * level.score(x) + linalg.root(variance) * z
