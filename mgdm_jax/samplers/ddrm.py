"""DDRM: one diffusion a singular direction, measured ones conditioned on y.

Kawar et al., "Denoising Diffusion Restoration Models", 2022,
https://arxiv.org/abs/2201.11793, eq. 7 and 8. Without noise every measured direction
takes y and fresh noise. x_T is white here; the paper puts √ᾱ_T y into it, 0.6 % of y.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.operators import spectrum
from mgdm_jax.samplers import ddim, loop
from mgdm_jax.types import (
    Array,
    Estimate,
    Guidance,
    Problem,
    SpectralGain,
    StepFn,
    StepInfo,
)


def make_step(*, eta_b: float = 1.0, cutoff: float = spectrum.SQUARED_CUTOFF) -> StepFn:
    """Return DDRM's step; the operator must know its spectrum.

    Args:
      eta_b: η_b in (0, 1], trust in y where it is less noisy than x_s.
      cutoff: squared singular value s² up to which a direction counts as unseen.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        x0_hat, eta = estimate.x0_hat, guidance.eta
        correct, spread = gains(estimate, problem, eta, eta_b, cutoff)
        x0_bar = corrected(problem, x0_hat, correct)
        unseen, swap = noises(key, estimate, problem, eta, spread, cutoff)
        x_s = jnp.sqrt(estimate.alpha_bar_next) * x0_bar + unseen + swap
        return x_s, loop.diagnose(problem, x0_hat, x0_bar, None, x_s)

    return step


def corrected(problem: Problem, x0_hat: Array, correct: SpectralGain) -> Array:
    """Return x0_hat + Aᴴ g(AAᴴ) (y - A x0_hat)."""
    misfit = problem.measurement - problem.operator.forward(x0_hat)
    return x0_hat + problem.operator.spectral_filter(correct, misfit)


def noises(
    key: Array,
    estimate: Estimate,
    problem: Problem,
    eta: Array,
    spread: SpectralGain,
    cutoff: float,
) -> tuple[Array, Array]:
    """Return DDIM's noise, right in the null space, and its swap in the range of Aᴴ.

    Their sum is c1 z + c2 ε in the null space, and in a measured direction z with the
    standard deviation that `gains` leaves it.
    """
    operator = problem.operator
    c1, c2 = ddim.coefficients(estimate.alpha_bar, estimate.alpha_bar_next, eta, "ddnm")
    shape, dtype = estimate.x0_hat.shape, estimate.x0_hat.dtype
    z = estimate.noise_scale * jax.random.normal(key, shape, dtype)
    unseen = c1 * z + c2 * estimate.eps
    seen = spectrum.pseudo_inverse_gain(cutoff)
    swap = operator.spectral_filter(spread, operator.forward(z))
    return unseen, swap - operator.spectral_filter(seen, operator.forward(unseen))


def gains(
    estimate: Estimate, problem: Problem, eta: Array, eta_b: float, cutoff: float
) -> tuple[SpectralGain, SpectralGain]:
    """Return the gains of the correction and of the fresh noise.

    A direction whose noise σ_y/s is below that of x_s, √(1-ᾱ_s)/√ᾱ_s, takes the share
    η_b of y and what noise is left to make up x_s's; the others lean towards y by
    √(1-η²) of x_s's noise in units of theirs.
    """
    level = jnp.sqrt(1.0 - estimate.alpha_bar_next)
    noise = problem.noise_std / estimate.noise_scale  # network units, as `level`
    noise = jnp.sqrt(estimate.alpha_bar_next) * noise
    inverse = spectrum.pseudo_inverse_gain(cutoff)

    def correct(s2: Array) -> Array:
        reach = level * jnp.sqrt(s2)
        share = reach * jnp.sqrt(1.0 - eta**2) / jnp.where(noise > 0, noise, 1.0)
        return jnp.where(reach >= noise, eta_b, share) * inverse(s2)

    def spread(s2: Array) -> Array:
        left = jnp.maximum(level**2 - (eta_b * noise) ** 2 * inverse(s2), 0.0)
        full = level * jnp.sqrt(s2) >= noise
        return jnp.where(full, jnp.sqrt(left), eta * level) * inverse(s2)

    return correct, spread
