"""DDNM+: null-space projection that accounts for measurement noise.

Wang et al., 2022, https://arxiv.org/abs/2212.00490, section 3.3 and appendix: every
singular direction of A is corrected as far as its noise allows and receives just so
much fresh noise that x_s has the variance of its time. Where σ_y = 0 it is DDNM.
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


def make_step(cutoff: float = spectrum.SQUARED_CUTOFF) -> StepFn:
    """Return DDNM+'s step; the operator must know its spectrum.

    Args:
      cutoff: squared singular value s² up to which a direction counts as unseen.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        operator, x0_hat = problem.operator, estimate.x0_hat
        seen = spectrum.pseudo_inverse_gain(cutoff)
        correct, spread = _gains(estimate, problem, guidance.eta, cutoff)
        misfit = problem.measurement - operator.forward(x0_hat)
        x0_bar = x0_hat + operator.spectral_filter(correct, misfit)
        c1, c2 = ddim.coefficients(
            estimate.alpha_bar, estimate.alpha_bar_next, guidance.eta, "ddnm"
        )
        z = estimate.noise_scale * jax.random.normal(key, x0_hat.shape, x0_hat.dtype)
        unseen = c1 * z + c2 * estimate.eps
        # Right in the null space; in the range of Aᴴ it is swapped for what is left.
        swap = operator.spectral_filter(spread, operator.forward(z))
        swap = swap - operator.spectral_filter(seen, operator.forward(unseen))
        swap = jnp.where(problem.noise_std > 0, swap, 0.0)
        x_s = jnp.sqrt(estimate.alpha_bar_next) * x0_bar + unseen + swap
        return x_s, loop.diagnose(problem, x0_hat, x0_bar, None, x_s)

    return step


def _gains(
    estimate: Estimate, problem: Problem, eta: Array, cutoff: float
) -> tuple[SpectralGain, SpectralGain]:
    """Return the gains of the correction and of the fresh noise."""
    level = jnp.sqrt(1.0 - estimate.alpha_bar_next)
    noise = problem.noise_std / estimate.noise_scale  # network units, as `level`
    noise = jnp.sqrt(estimate.alpha_bar_next) * noise
    inverse = spectrum.pseudo_inverse_gain(cutoff)

    def correct(s2: Array) -> Array:
        reach = level * jnp.sqrt(s2)
        share = reach * jnp.sqrt(1.0 - eta**2) / jnp.where(noise > 0, noise, 1.0)
        return jnp.where(reach >= noise, 1.0, share) * inverse(s2)

    def spread(s2: Array) -> Array:
        left = jnp.maximum(level**2 - noise**2 * inverse(s2), 0.0)
        full = level * jnp.sqrt(s2) >= noise
        return jnp.where(full, jnp.sqrt(left), eta * level) * inverse(s2)

    return correct, spread
