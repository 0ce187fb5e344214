"""ScoreMed and Score-MRI: predictor–corrector sampling on VE, data merged in between.

Song et al., "Solving Inverse Problems in Medical Imaging with Score-Based Generative
Models", 2021, https://arxiv.org/abs/2111.08005, Algorithms 1 and 2; Chung & Ye,
"Score-based Diffusion Models for Accelerated MRI", 2021,
https://arxiv.org/abs/2110.05243, Algorithm 2. Both need a VE prior; a VP one serves by
x_σ = x_t / √ᾱ_t, σ = √((1-ᾱ_t)/ᾱ_t), which is exact and ends at σ = 157.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mgdm_jax.guidance import inner, proximal
from mgdm_jax.operators import linalg
from mgdm_jax.samplers import loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


class Level(NamedTuple):
    """One noise level of the VE process, operator units.

    Attributes:
      sigma: standard deviation of x_σ - x0.
      sigma_next: the same after the step; 0 at the last.
      score: x_σ -> ∇ log p(x_σ), one network evaluation.
    """

    sigma: Array
    sigma_next: Array
    score: Callable[[Array], Array]


def level_of(estimate: Estimate) -> Level:
    """Return the VE level of a VP time; its score is (x0_hat - x_σ)/σ²."""
    alpha_bar, following = estimate.alpha_bar, estimate.alpha_bar_next
    sigma = estimate.noise_scale * jnp.sqrt((1.0 - alpha_bar) / alpha_bar)

    def score(x: Array) -> Array:
        return (estimate.x0_hat_fn(jnp.sqrt(alpha_bar) * x) - x) / sigma**2

    sigma_next = estimate.noise_scale * jnp.sqrt((1.0 - following) / following)
    return Level(sigma, sigma_next, score)


def make_step(
    *, diffuse: bool, projection: proximal.ProximalFn = proximal.exact
) -> StepFn:
    """Return one noise level: correct, merge, predict, merge.

    Two network evaluations. ζ is the corrector's signal-to-noise ratio, λ in [0, 1] the
    weight of the merge, 1 at the end; ρ and η have no part. ScoreMed merges first, as
    the end of the level before does here; only its very first merge, into noise of
    σ = 157, is left out.

    Args:
      diffuse: give y the noise of the level, drawn afresh (ScoreMed); else take it as
        it is (Score-MRI).
      projection: evaluated at λ = 0, as in `ddnm.make_step`.
    """

    def merged(
        key: Array, x: Array, problem: Problem, sigma: Array, weight: Array
    ) -> Array:
        z = jax.random.normal(key, x.shape, x.dtype)
        z = sigma * z if diffuse else jnp.zeros_like(z)
        target = projection(problem, x - z, jnp.zeros_like(weight)) + z
        return x + weight * (target - x)

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        level, weight = level_of(estimate), guidance.lam
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


def corrected(key: Array, x: Array, level: Level, snr: Array) -> Array:
    """Return x after a Langevin step of size 2 (snr ‖z‖/‖score‖)², norms per example.

    The published codes average the norms over batch and devices.
    """
    z = jax.random.normal(key, x.shape, x.dtype)
    score = level.score(x)
    ratio = linalg.norm(z) * inner.safe_reciprocal(linalg.norm(score))
    size = 2.0 * (snr * ratio) ** 2
    return x + size * score + jnp.sqrt(2.0 * size) * z


def predicted(key: Array, x: Array, level: Level) -> Array:
    """Return x after a step of reverse diffusion, Tweedie's mean at the last level."""
    variance = level.sigma**2 - level.sigma_next**2
    z = jax.random.normal(key, x.shape, x.dtype)
    z = jnp.where(level.sigma_next > 0, z, 0.0)
    return x + variance * level.score(x) + jnp.sqrt(variance) * z
