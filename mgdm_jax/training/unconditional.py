"""Samples of a prior alone, to see what it has learnt."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import factory, figures, priors
from mgdm_jax.samplers import ddim
from mgdm_jax.types import Array, Guidance, Params, Problem

N_DRAWN, DRAWING_STEPS = 8, 25
"""Samples of a grid, and network evaluations of each."""

DrawFn = Callable[[Array, Params], Array]
"""(keys [n], weights) -> samples [n, …image], operator units: DDIM at η = 1."""


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


def make_draw(prior: factory.Prior, n_steps: int) -> DrawFn:
    """Return what draws; it is compiled at its first call only, for any weights.

    Args:
      prior: from `factory.load_prior`, or with shapes for its weights.
      n_steps: network evaluations of each sample.
    """
    sampler = factory.make_sampler(prior, ddim.make_step("ddim"), prior.grid(n_steps))
    problem = Problem(Unmeasured(prior.image_shape), jnp.zeros(1))
    guidance = Guidance.of(zeta=0, lam=0, rho=0, eta=1)

    @jax.jit
    def run(keys: Array, params: Params) -> Array:
        return jax.vmap(lambda key: sampler(key, params, problem, guidance)[0])(keys)

    return run


def draw(key: Array, prior: factory.Prior, n: int, n_steps: int) -> np.ndarray:
    """Return n samples [n, …image] of the prior, operator units: DDIM at η = 1.

    Args:
      key: typed random key.
      prior: from `factory.load_prior`.
      n: samples, all at once.
      n_steps: network evaluations of each.
    """
    run = make_draw(prior, n_steps)
    return np.asarray(run(jax.random.split(key, n), prior.params))


def make_grid(spec: priors.PriorSpec) -> Callable[[Params, Path], None]:
    """Return what draws `N_DRAWN` samples of weights and writes them as a picture."""
    run = make_draw(factory.build_prior(spec), DRAWING_STEPS)
    keys = jax.random.split(jax.random.key(0), N_DRAWN)

    def write(params: Params, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        images = np.asarray(run(keys, params))
        figures.sample_grid(images, columns=4).savefig(path, dpi=110)

    return write
