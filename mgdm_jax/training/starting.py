"""What a training begins with: fresh weights, and a donor's where they fit."""

import logging
from collections.abc import Mapping

import numpy as np

from mgdm_jax import priors
from mgdm_jax.defaults import Config
from mgdm_jax.networks.config import UNetConfig
from mgdm_jax.types import Params

LAST = ("out.1.kernel", "out.1.bias")
"""The layer whose output is ε, v or x0; fresh it is zero."""


def from_donor(donor: str, config: Config, fresh: Params) -> Params:
    """Return the weights that a training begins with.

    Those of the donor, but for what has another shape here, and its last layer where it
    predicts another thing. Of a learned variance the mean's half is taken.

    Args:
      donor: name or path of a prior.
      config: see `defaults.prior_training` beside this.
      fresh: weights of the network to be trained.

    Raises:
      ValueError: if there is no such prior, or it is of another kind of network.
    """
    spec, weights = priors.load(donor)
    theirs = UNetConfig.from_fields(spec.network)
    ours = UNetConfig.from_fields(config.network.to_dict())
    if ours.new_attention_order != theirs.new_attention_order or any(
        ours.heads(width) != theirs.heads(width) for width in ours.widths
    ):
        raise ValueError(
            f"prior {donor} has other attention heads, or another order of them: give "
            "network.n_head_channels, n_heads and new_attention_order as it has them, "
            "or --config.init= for fresh weights."
        )
    given = _without_variance(priors.flatten(weights), theirs)
    if spec.prediction != config.loss.prediction:
        given = {name: value for name, value in given.items() if name not in LAST}
    others = _other_facts(spec, config)
    if others:
        logging.warning("prior %s was trained with another %s", donor, others)
    return _transferred(donor, given, priors.flatten(fresh))


def _without_variance(
    weights: Mapping[str, np.ndarray], network: UNetConfig
) -> dict[str, np.ndarray]:
    """Return the weights of a network that puts out no variance beside the mean."""
    kept = dict(weights)
    n_in = network.in_channels
    if network.out_channels == 2 * n_in:
        for name in LAST:
            # `pixel_shuffle` has the channels of each pixel of a patch side by side.
            *before, _ = kept[name].shape
            by_pixel = kept[name].reshape(*before, network.patch**2, 2 * n_in)
            kept[name] = by_pixel[..., :n_in].reshape(*before, -1)
    return kept


def _other_facts(spec: priors.PriorSpec, config: Config) -> str:
    """Return what else the donor was trained with, by name."""
    pairs = {
        "prediction": (spec.prediction, config.loss.prediction),
        "schedule": (spec.schedule, config.loss.schedule),
        "number of noise levels": (spec.n_train, 1000),
        "range of β": (spec.betas, None),
        "units.scale": (spec.scale, config.units.scale),
        "units.offset": (spec.offset, config.units.offset),
    }
    return ", ".join(name for name, (theirs, ours) in pairs.items() if theirs != ours)


def _transferred(
    donor: str, given: Mapping[str, np.ndarray], fresh: Mapping[str, np.ndarray]
) -> Params:
    """Return `fresh` with every tensor that is given in the same shape.

    A magnitude prior so starts a complex one: only its first and last layer differ.
    """
    fits = {
        k: given[k]
        for k, v in fresh.items()
        if k in given and given[k].shape == v.shape
    }
    if not any(name.endswith(".kernel") for name in fits):
        raise ValueError(
            f"no layer of prior {donor} fits this network; give network.* as it has "
            "them, or --config.init= for fresh weights."
        )
    anew = sorted(fresh.keys() - fits.keys())
    logging.info(
        "starting from %d of %d tensors of prior %s%s",
        len(fits),
        len(fresh),
        donor,
        f", anew: {', '.join(anew[:4])}{' …' * (len(anew) > 4)}" if anew else "",
    )
    return priors.unflatten({**fresh, **fits})
