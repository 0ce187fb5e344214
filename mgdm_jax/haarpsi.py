"""HaarPSI, a similarity of edges that follows human judgement.

Reisenhofer, Bosse, Kutyniok and Wiegand, "A Haar Wavelet-Based Perceptual Similarity
Index for Image Quality Assessment", Signal Processing: Image Communication 61, 2018.
https://arxiv.org/abs/1607.06140
"""

import jax
import jax.numpy as jnp

from mgdm_jax import metrics
from mgdm_jax.types import Array

STABILISER = 30.0
"""C of the paper, for grey values of 0 to 255."""

STEEPNESS = 4.2
"""alpha of the paper, of the logistic function."""

SMALLEST = 16
"""Pixels: the coarsest filter is 8 pixels wide at half the resolution."""


def haarpsi(reference: Array, estimate: Array, peak: Array | None = None) -> Array:
    """Return the Haar wavelet perceptual similarity, in [0, 1], 1 for equal images.

    At half the resolution, g_k are the moduli of the Haar coefficients at scale k = 1,
    2, 3, in either direction. Similarities of the two finer scales,

        s = ½ Σ_{k=1,2} (2 g_k(x) g_k(y) + C) / (g_k(x)² + g_k(y)² + C),

    are averaged as l(s), weighted by the coarsest, w = max(g_3(x), g_3(y)), with
    l(s) = 1 / (1 + exp(-α s)):

        HaarPSI = l⁻¹( Σ w l(s) / Σ w )²

    Args:
      reference: [h, w] or [h, w, 2], h and w at least 16.
      estimate: same shape.
      peak: scalar that the paper's 255 stands for; None is the maximum of the
        reference. Nothing is clipped.

    Raises:
      ValueError: if the images differ in shape, are not [h, w] or [h, w, 2], or are
        smaller than 16 pixels.
    """
    x, y = metrics.magnitudes(reference, estimate)
    if min(x.shape) < SMALLEST:
        raise ValueError(
            f"images must be at least {SMALLEST} by {SMALLEST} pixels, got {x.shape}."
        )
    peak = x.max() if peak is None else peak
    x, y = (_halved(255 / peak * image) for image in (x, y))
    fine = [_similarity(_moduli(x, scale), _moduli(y, scale)) for scale in (1, 2)]
    weights = jnp.maximum(_moduli(x, 3), _moduli(y, 3))
    # 1 - l(s) = l(-s): near 1, where float32 has fewest digits, not l but that is kept.
    missing = jax.nn.sigmoid(-STEEPNESS * (fine[0] + fine[1]) / 2)
    total = weights.sum()
    mean = (weights * missing).sum() / jnp.where(total > 0, total, 1)
    index = (jax.scipy.special.logit(mean) / STEEPNESS) ** 2
    # Two blank images weigh nothing, and are equal.
    return jnp.where(total > 0, index, 1.0)


def _halved(image: Array) -> Array:
    """Return the means over blocks of 2×2 pixels, zeros beyond an odd edge."""
    h, w = image.shape
    even = jnp.pad(image, ((0, h % 2), (0, w % 2)))
    return even.reshape((h + 1) // 2, 2, (w + 1) // 2, 2).mean((1, 3))


def _moduli(image: Array, scale: int) -> Array:
    """Return the moduli of the Haar coefficients at one scale, [2, h, w].

    Zeros surround the image; a filter of even width reaches one pixel further down and
    right than up and left.
    """
    width = 2**scale
    flat = (2.0**-scale,) * width
    step = (1.0,) * (width // 2) + (-1.0,) * (width // 2)
    padded = jnp.pad(image, (width // 2 - 1, width // 2))
    vertical = metrics.correlate(padded, step, flat)
    horizontal = metrics.correlate(padded, flat, step)
    return jnp.abs(jnp.stack([vertical, horizontal]))


def _similarity(x: Array, y: Array) -> Array:
    return (2 * x * y + STABILISER) / (x**2 + y**2 + STABILISER)
