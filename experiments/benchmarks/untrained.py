"""A prior of the shipped architecture whose weights are random: it costs the same."""

import jax

from mgdm_jax import factory, priors
from mgdm_jax.defaults import prior_training
from mgdm_jax.networks import unet
from mgdm_jax.operators import fourier, masks


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
