"""Samples of a prior alone, to see what it has learnt."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import factory
from mgdm_jax.samplers import ddim
from mgdm_jax.types import Array, Guidance, Problem


@dataclasses.dataclass(frozen=True)
class Unmeasured:
    """The operator of unconditional sampling: it measures one zero."""

    image_shape: tuple[int, ...]
    has_spectrum: bool = False

    def forward(self, image: Array) -> Array:
        """Return [1], zero."""
        del image
        return jnp.zeros(1)

    def adjoint(self, measurement: Array) -> Array:
        """Return an image of zeros."""
        del measurement
        return jnp.zeros(self.image_shape)


def draw(key: Array, prior: factory.Prior, n: int, n_steps: int) -> np.ndarray:
    """Return n samples [n, …image] of the prior, operator units: DDIM at η = 1.

    Args:
      key: typed random key.
      prior: from `factory.load_prior`.
      n: samples, all at once.
      n_steps: network evaluations of each.
    """
    sampler = factory.make_sampler(prior, ddim.make_step("ddim"), prior.grid(n_steps))
    problem = Problem(Unmeasured(prior.image_shape), jnp.zeros(1))
    guidance = Guidance.of(zeta=0, lam=0, rho=0, eta=1)

    @jax.jit
    def run(keys: Array, params: Any) -> Array:
        return jax.vmap(lambda key: sampler(key, params, problem, guidance)[0])(keys)

    return np.asarray(run(jax.random.split(key, n), prior.params))
