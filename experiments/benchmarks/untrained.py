"""A prior of the shipped architecture with random weights, which costs the same.

And what benchmarks sample with it.
"""

import sys

import jax
import jax.numpy as jnp

from mgdm_jax import factory, priors
from mgdm_jax.networks import unet
from mgdm_jax.operators import fourier, masks
from mgdm_jax.samplers import mgdm
from mgdm_jax.training.defaults import prior_training
from mgdm_jax.types import Guidance, Problem


def prior(*, tiny: bool = False) -> factory.Prior:
    """Return it, or one of two narrow levels where only running counts.

    Args:
      tiny: whether two levels do.
    """
    config = prior_training()
    if tiny:
        config.network.channel_mult = (1.0, 1.0)
    fields = config.network.to_dict()
    spec = priors.PriorSpec("bench", fields, "v", "linear", 2.0, -1.0, 0.0, 1.0, {})
    network = unet.UNetConfig.from_fields(fields)
    return factory.build_prior(spec, unet.initialise(network, jax.random.key(0)))


def operator(prior: factory.Prior) -> fourier.MaskedFourier:
    """Return single-coil MRI at 4x of the prior's images."""
    shape = prior.image_shape
    mask = masks.make_mask("equispaced", (shape[0], shape[1]), 4, 0)
    return fourier.masked_fourier(fourier.centred_to_corner_mask(mask), shape)


def account(prior: factory.Prior, n_steps: int) -> tuple[int, int]:
    """Return bytes that MGDM's program for one image works in, and that it returns."""
    physics = operator(prior)
    measurement = physics.forward(jnp.ones(prior.image_shape))
    problem = Problem(physics, measurement, jnp.float32(0))
    numbers = Guidance.of(zeta=0.5, lam=0.01, rho=0.01, eta=0.85)
    sampler = factory.make_sampler(prior, mgdm.make_step(), prior.grid(n_steps))
    lowered = jax.jit(sampler).lower(jax.random.key(0), prior.params, problem, numbers)
    found = lowered.compile().memory_analysis()
    if found is None:
        sys.exit(f"XLA has no account of memory on {jax.default_backend()}.")
    return found.temp_size_in_bytes, found.output_size_in_bytes
