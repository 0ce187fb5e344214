"""DDIM: the update that every method here ends with, and unconditional sampling.

    x_s = √ᾱ_s x0_hat + c2 ε + c1 z,  c1² + c2² = 1 - ᾱ_s,  c1 = 0 at η = 0

Song et al., 2020, https://arxiv.org/abs/2010.02502, eq. 12 and 16.
"""

import jax
import jax.numpy as jnp

from mgdm_jax.operators import linalg
from mgdm_jax.samplers import loop
from mgdm_jax.types import Array, Estimate, Guidance, Problem, StepFn, StepInfo


def coefficients(
    alpha_bar: Array, alpha_bar_next: Array, eta: Array, noise: str
) -> tuple[Array, Array]:
    """Return (c1, c2): the shares of fresh and of predicted noise in x_s.

    Args:
      alpha_bar: ᾱ_t.
      alpha_bar_next: ᾱ_s.
      eta: η in [0, 1].
      noise: "ddnm": c1 = η √(1-ᾱ_s) (Algorithm 2, lines 4-5); "ddim": the posterior's
        σ(η) = η √((1-ᾱ_s)/(1-ᾱ_t)) √(1-ᾱ_t/ᾱ_s), under half of it as 100 steps begin.

    Raises:
      ValueError: for another noise.
    """
    level = jnp.sqrt(1.0 - alpha_bar_next)
    match noise:
        case "ddnm":
            share = eta
        case "ddim":
            ratio = (1.0 - alpha_bar / alpha_bar_next) / (1.0 - alpha_bar)
            share = eta * linalg.root(ratio)
        case _:
            raise ValueError(f"noise must be ddnm or ddim, got {noise!r}.")
    # Not the root of level² - c1²: at η = 1 that is rounding, of any slope.
    return level * share, level * linalg.root(1.0 - share**2)


def update(
    key: Array, estimate: Estimate, x0: Array, eps: Array, eta: Array, noise: str
) -> Array:
    """Return x_s = √ᾱ_s x0 + c2 ε + c1 z, line 10 of Algorithm 2.

    No noise is added at the last step, where ᾱ_s = 1. On a grid of second order x0 and
    ε are `look_back`'s.
    """
    x0, eps = look_back(estimate, x0, eps)
    c1, c2 = coefficients(estimate.alpha_bar, estimate.alpha_bar_next, eta, noise)
    z = estimate.noise_scale * jax.random.normal(key, x0.shape, x0.dtype)
    return jnp.sqrt(estimate.alpha_bar_next) * x0 + c2 * eps + c1 * z


def look_back(estimate: Estimate, x0: Array, eps: Array) -> tuple[Array, Array]:
    """Return x0 + w (x0 - x0_before), and ε moved so that x_t remains √ᾱ x0 + √(1-ᾱ) ε.

    Unguided, with η = 0, that is DPM-Solver++(2M), and SDE-DPM-Solver++(2M) with the
    noise "ddim" and η = 1 (Lu et al., 2022, https://arxiv.org/abs/2211.01095, algorithm
    2). A guided x0 is looked back at as well. w is 0 on grids of first order.
    """
    further = estimate.look_back * (x0 - estimate.x0_before)
    ratio = jnp.sqrt(estimate.alpha_bar / (1.0 - estimate.alpha_bar))
    return x0 + further, eps - ratio * further


def make_step(noise: str = "ddim") -> StepFn:
    """Return the unconditional step; the measurement only enters the diagnostics."""

    def step(
        key: Array, estimate: Estimate, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        x0_hat = estimate.x0_hat
        x_s = update(key, estimate, x0_hat, estimate.eps, guidance.eta, noise)
        return x_s, loop.diagnose(problem, x0_hat, x0_hat, None, x_s)

    return step
