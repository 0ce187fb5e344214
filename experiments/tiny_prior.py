"""An untrained prior of a few thousand weights, where the network does not matter."""

from pathlib import Path

import jax

from mgdm_jax import priors
from mgdm_jax.networks import unet
from mgdm_jax.training.defaults import prior_training


def write(folder: Path, image_size: int = 120) -> Path:
    """Write a prior of magnitudes in [0, 1] and return its path.

    Args:
      folder: where to.
      image_size: height and width, a multiple of 8.
    """
    fields = prior_training().network.to_dict()
    fields |= {"channel_mult": (1.0,), "attention_resolutions": (1000,), "patch": 8}
    fields["image_size"] = image_size
    spec = priors.PriorSpec("tiny", fields, "v", "linear", 2.0, -1.0, 0.0, 1.0, {})
    network = unet.UNetConfig.from_fields(fields)
    path = folder / "tiny.safetensors"
    priors.save(path, spec, unet.initialise(network, jax.random.key(0)))
    return path
