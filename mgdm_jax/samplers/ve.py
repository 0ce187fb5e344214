"""The variance-exploding process x_σ = x0 + σ z that a VP prior knows as well.

x_σ = x_t / √ᾱ_t with σ = √((1-ᾱ_t)/ᾱ_t), which is exact (Song et al., "Score-Based
Generative Modeling through Stochastic Differential Equations", 2020,
https://arxiv.org/abs/2011.13456, appendix B); 1000 linear steps reach σ = 157.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from mgdm_jax.types import Array, Estimate


class Level(NamedTuple):
    """One noise level of the VE process, operator units.

    Attributes:
      sigma: standard deviation of x_σ - x0.
      sigma_next: the same after the step; 0 at the last.
      score: x_σ -> ∇ log p(x_σ), one network evaluation.
      score_here: the same at x_t / √ᾱ_t, by the evaluation that there is already.
    """

    sigma: Array
    sigma_next: Array
    score: Callable[[Array], Array]
    score_here: Array


def level_of(estimate: Estimate) -> Level:
    """Return the VE level of a VP time; its score is (x0_hat - x_σ)/σ².

    Where the prior clips x0_hat, this is the score with that clip in it.
    """
    alpha_bar, following = estimate.alpha_bar, estimate.alpha_bar_next
    sigma = estimate.noise_scale * jnp.sqrt((1.0 - alpha_bar) / alpha_bar)

    def score(x: Array) -> Array:
        return (estimate.x0_hat_fn(jnp.sqrt(alpha_bar) * x) - x) / sigma**2

    sigma_next = estimate.noise_scale * jnp.sqrt((1.0 - following) / following)
    score_here = (estimate.x0_hat - estimate.x_t / jnp.sqrt(alpha_bar)) / sigma**2
    return Level(sigma, sigma_next, score, score_here)
