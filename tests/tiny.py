"""A prior of a few thousand weights, for tests of everything around the network."""

import dataclasses
import functools

import jax

from mgdm_jax import priors
from mgdm_jax.networks import unet


def spec(image_size=120, channels=1) -> priors.PriorSpec:
    network = {
        "image_size": image_size,
        "in_channels": channels,
        "out_channels": channels,
        "model_channels": 32,
        "channel_mult": (1.0,),
        "n_res_blocks": 1,
        "attention_resolutions": (1000,),
        "patch": 8,
    }
    scale, offset, low = (2.0, -1.0, 0.0) if channels == 1 else (1.0, 0.0, -1.0)
    return priors.PriorSpec(
        name="tiny",
        network=network,
        prediction="v",
        schedule="linear",
        scale=scale,
        offset=offset,
        low=low,
        high=1.0,
        training={},
    )


def write_prior(folder, image_size=120, channels=1, training=()) -> str:
    """Write an untrained prior and return its path.

    Args:
      training: what its card says.
    """
    facts = dataclasses.replace(spec(image_size, channels), training=dict(training))
    path = folder / f"tiny-{image_size}-{channels}.safetensors"
    priors.save(path, facts, _weights(image_size, channels))
    return str(path)


@functools.cache
def _weights(image_size, channels) -> dict:
    network = unet.UNetConfig.from_fields(spec(image_size, channels).network)
    return unet.initialise(network, jax.random.key(0))
