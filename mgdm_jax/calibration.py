"""Whether the spread of posterior samples is the size of their error.

Samples of a calibrated method and the true image are draws of one distribution: the
truth's place among k samples is equally likely to be any of k + 1. Intervals between
the samples' order statistics then have a known coverage, however few samples there are.
"""

from typing import NamedTuple

import jax.numpy as jnp

from mgdm_jax.types import Array


class Calibration(NamedTuple):
    """What k samples say of their own error, over some pixels.

    Attributes:
      nominal: [k // 2] coverage that calibrated intervals have, ascending.
      coverage: [k // 2] share of pixels whose truth lies within.
      correlation: of standard deviation and absolute error of the mean, Pearson's.
      spread_to_error: √(1 + 1/k) · the samples' standard deviation, over the root mean
        square error of their mean: 1 where calibrated, below 1 overconfident.
    """

    nominal: Array
    coverage: Array
    correlation: Array
    spread_to_error: Array


def calibration(samples: Array, truth: Array, mask: Array) -> Calibration:
    """Return how samples of one image relate to the truth.

    Args:
      samples: [k, h, w], magnitudes, at least two.
      truth: [h, w].
      mask: [h, w] bool, the pixels that count: air, where all are zero, says nothing.

    Raises:
      ValueError: of fewer than two samples.
    """
    k = samples.shape[0]
    if k < 2:
        raise ValueError(f"at least two samples are needed, got {k}.")
    ordered = jnp.sort(samples, axis=0)
    depth = jnp.arange(k // 2)[::-1]
    inside = (ordered[depth] <= truth[None]) & (truth[None] <= ordered[k - 1 - depth])
    mean = samples.mean(axis=0)
    variance = samples.var(axis=0, ddof=1)
    error = jnp.abs(mean - truth)
    # Truth and mean are independent draws: the mean's own variance is 1/k of it.
    expected = (1 + 1 / k) * jnp.mean(variance, where=mask)
    return Calibration(
        nominal=(k - 1 - 2 * depth) / (k + 1),
        coverage=jnp.mean(inside, axis=(1, 2), where=mask[None]),
        correlation=_correlation(jnp.sqrt(variance), error, mask),
        spread_to_error=jnp.sqrt(expected / jnp.mean(error**2, where=mask)),
    )


def _correlation(a: Array, b: Array, mask: Array) -> Array:
    a = a - jnp.mean(a, where=mask)
    b = b - jnp.mean(b, where=mask)
    scale = jnp.sqrt(jnp.mean(a**2, where=mask) * jnp.mean(b**2, where=mask))
    return jnp.mean(a * b, where=mask) / scale
