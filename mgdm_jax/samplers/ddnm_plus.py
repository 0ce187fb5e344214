"""DDNM+: null-space projection that accounts for measurement noise.

Wang et al., 2022, https://arxiv.org/abs/2212.00490, section 3.3 and appendix: every
singular direction of A is corrected as far as its noise allows and receives just so
much fresh noise that x_s has the variance of its time. With noise that is DDRM's rule
at η_b = 1; where σ_y = 0 it is DDNM, which keeps the predicted noise.
"""

import jax.numpy as jnp

from mgdm_jax.operators import spectrum
from mgdm_jax.samplers import ddrm, loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def make_step(cutoff: float = spectrum.SQUARED_CUTOFF) -> StepFn:
    """Return DDNM+'s step; the operator must know its spectrum.

    Args:
      cutoff: squared singular value s² up to which a direction counts as unseen.
    """

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        x0_hat, eta = estimate.x0_hat, guidance.eta
        correct, spread = ddrm.gains(estimate, problem, eta, 1.0, cutoff)
        x0_bar = ddrm.corrected(problem, x0_hat, correct)
        unseen, swap = ddrm.noises(key, estimate, problem, eta, spread, cutoff)
        swap = jnp.where(problem.noise_std > 0, swap, 0.0)
        x_s = jnp.sqrt(estimate.alpha_bar_next) * x0_bar + unseen + swap
        return x_s, loop.diagnose(problem, x0_hat, x0_bar, None, x_s)

    return step
