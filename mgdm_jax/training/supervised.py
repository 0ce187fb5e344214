"""Supervised reconstruction: a network that turns baseline images into references.

A plain residual U-Net, as Jin et al., "Deep Convolutional Neural Network for Inverse
Problems in Imaging", 2017, https://arxiv.org/abs/1611.03679: the stand-in for the
supervised methods of the paper's table 4, trained on pairs of one measurement process.
Arrays are [b, h, w, c] in network units.
"""

from collections.abc import Callable

import jax.numpy as jnp

from mgdm_jax.types import Array, Params


def restore(apply: Callable, params: Params, baseline: Array) -> Array:
    """Return the baseline plus what the network, at time 0, adds to it.

    Args:
      apply: (params, x [b, h, w, c], t [b]) -> [b, h, w, c].
      params: its weights.
      baseline: zero-filled images or filtered back-projections.
    """
    times = jnp.zeros(baseline.shape[0], jnp.int32)
    return baseline + apply(params, baseline, times)


def loss(
    apply: Callable,
    degrade: Callable[[Array], Array],
    params: Params,
    images: Array,
) -> Array:
    """Return the mean squared error of restored baselines.

    Args:
      apply: see `restore`.
      degrade: images -> their baselines.
      params: weights.
      images: references.
    """
    return jnp.mean((restore(apply, params, degrade(images)) - images) ** 2)
