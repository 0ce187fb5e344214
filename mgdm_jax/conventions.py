"""Image quality under the conventions in use, side by side.

A convention says what is compared, what peak PSNR, SSIM and HaarPSI refer to, and what
is averaged. None is wrong, and none may be compared with another: on the same images
they differ by 2 to 6 dB, and in what they forgive.

- `volume-max`, fastMRI's: images in the file's units, peak the maximum of the reference
  volume. PSNR and NMSE are those of a volume, all its pixels pooled; SSIM and HaarPSI
  are means over its slices. Of several volumes the mean.
- `slice-max`, `metrics.CONVENTION` and InverseBench's: peak the maximum of each
  reference slice; means over slices, as in the two below.
- `range-1`, ScoreMed's and DDNM's: images in operator units, peak 1.
- `min-max`, DDS's: reference and estimate are each mapped to [0, 1] by their own
  minimum and maximum, peak 1. Forgives any gain and offset, but one outlying pixel
  dims a whole image, and one below zero lifts its background: SSIM falls most. NMSE is
  that of the mapped images.

Nothing is clipped and nothing cropped.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mgdm_jax import haarpsi, metrics
from mgdm_jax.types import Array

CONVENTIONS = ("volume-max", "slice-max", "range-1", "min-max")
"""Their names, as printed and written."""

FOREGROUND = 0.1
"""Share of a slice's maximum above which a pixel is no background."""


class Measures(NamedTuple):
    """Measures under one convention.

    Attributes:
      psnr: dB.
      ssim_uniform7: `metrics.ssim`.
      ssim_gaussian11: `metrics.gaussian_ssim`.
      nmse: `metrics.nmse`.
      haarpsi: `haarpsi.haarpsi`.
      psnr_foreground: dB, errors within `foreground` only; the peak is unchanged.
      ssim_foreground: of the uniform windows centred in `foreground`.
    """

    psnr: Array
    ssim_uniform7: Array
    ssim_gaussian11: Array
    nmse: Array
    haarpsi: Array
    psnr_foreground: Array
    ssim_foreground: Array


HEADINGS = {
    "psnr": ("PSNR / dB", ".2f"),
    "ssim_uniform7": ("SSIM u7", ".4f"),
    "ssim_gaussian11": ("SSIM g11", ".4f"),
    "nmse": ("NMSE", ".4f"),
    "haarpsi": ("HaarPSI", ".4f"),
    "psnr_foreground": ("PSNR fg", ".2f"),
    "ssim_foreground": ("SSIM fg", ".4f"),
}
"""Heading and format of each of `Measures`."""


class Slices(NamedTuple):
    """What is known of each of n slices.

    Attributes:
      measures: [n, 4], by `CONVENTIONS`.
      error: [n] sum of squared errors, file units, and so the next.
      energy: [n] sum of squares of the reference.
      inside_error: [n] sum of squared errors in the foreground.
      n_inside: [n] pixels of the foreground.
    """

    measures: Measures
    error: Array
    energy: Array
    inside_error: Array
    n_inside: Array


def side_by_side(
    reference: Array,
    estimate: Array,
    scale: Array | None = None,
    volume: Array | None = None,
) -> dict[str, Measures]:
    """Return the measures of slices under every convention.

    Slices whose reference is blank have no peak and are left out of means over slices;
    without any other, measures are NaN.

    Args:
      reference: [n, h, w] or [n, h, w, 2] in operator units; h and w at least 16.
      estimate: same shape.
      scale: [n], image in the file's units = scale · image in operator units; None is
        one unit for all.
      volume: [n] integers in [0, n), which slices are of one volume; None is all.

    Raises:
      ValueError: if the images differ in shape, are not [n, h, w] or [n, h, w, 2], or
        are smaller than 16 pixels.
    """
    n = len(reference)
    scale = jnp.ones(n, jnp.float32) if scale is None else scale
    volume = jnp.zeros(n, jnp.int32) if volume is None else volume
    peak = peaks(scale * brightest(reference), volume)
    slices = of_slices(reference, estimate, scale, peak)
    return summarised(slices, peak, volume, math.prod(reference.shape[1:3]))


def brightest(reference: Array) -> Array:
    """Return [n] the maximum of each slice, operator units."""
    x, _ = jax.vmap(metrics.magnitudes)(reference, reference)
    return x.max((1, 2))


def peaks(of_slice: Array, volume: Array) -> Array:
    """Return [n] the maximum of each slice's volume, of those of the slices [n]."""
    return jax.ops.segment_max(of_slice, volume, len(of_slice))[volume]


def of_slices(reference: Array, estimate: Array, scale: Array, peak: Array) -> Slices:
    """Return what is known of each slice, `peak` [n] that of its volume."""
    return jax.lax.map(
        lambda slice_: _of_slice(*slice_),
        (reference, estimate, scale, peak),
        batch_size=16,
    )


def summarised(
    slices: Slices, peak: Array, volume: Array, n_pixels: int
) -> dict[str, Measures]:
    """Return `side_by_side` of what is known of each slice.

    Args:
      slices: of `of_slices`.
      peak: [n] of `peaks`.
      volume: see `side_by_side`.
      n_pixels: of a slice.
    """
    seen = slices.n_inside > 0
    means = [values.mean(0, where=seen[:, None]) for values in slices.measures]
    columns = (Measures(*values) for values in zip(*means, strict=True))
    table = dict(zip(CONVENTIONS, columns, strict=True))
    return table | {"volume-max": _of_volumes(slices, peak, volume, n_pixels)}


def foreground(reference: Array) -> Array:
    """Return which pixels of a slice belong to the object, [h, w] bool.

    Those brighter than a tenth of the slice's maximum, and those with such pixels to
    the left, right, above and below: lungs and ventricles are within.

    Args:
      reference: [h, w] magnitude.
    """
    bright = (reference > FOREGROUND * reference.max()).astype(jnp.int32)
    rows, columns = (
        jax.lax.cummax(bright, axis) & jax.lax.cummax(bright, axis, reverse=True)
        for axis in (0, 1)
    )
    return (rows & columns).astype(bool)


def stretched(image: Array) -> Array:
    """Return the image mapped to [0, 1] by its extremes; zeros for a constant one."""
    spread = image.max() - image.min()
    return (image - image.min()) / jnp.where(spread > 0, spread, 1)


def _of_slice(reference: Array, estimate: Array, scale: Array, peak: Array) -> Slices:
    """Return what is known of one slice."""
    x, y = metrics.magnitudes(reference, estimate)
    one = jnp.ones_like(peak)
    references, estimates = (
        jnp.stack([scale * image, image, image, stretched(image)]) for image in (x, y)
    )
    mask = foreground(x)
    by_convention = jax.vmap(_measures, (0, 0, 0, None))
    error = scale**2 * (x - y) ** 2
    return Slices(
        by_convention(
            references, estimates, jnp.stack([peak, x.max(), one, one]), mask
        ),
        error=error.sum(),
        energy=scale**2 * (x**2).sum(),
        inside_error=error.sum(where=mask),
        n_inside=mask.sum(dtype=error.dtype),
    )


def _measures(x: Array, y: Array, peak: Array, mask: Array) -> Measures:
    return Measures(
        psnr=metrics.psnr(x, y, peak),
        ssim_uniform7=metrics.ssim(x, y, peak),
        ssim_gaussian11=metrics.gaussian_ssim(x, y, peak),
        nmse=metrics.nmse(x, y),
        haarpsi=haarpsi.haarpsi(x, y, peak),
        psnr_foreground=metrics.psnr(x, y, peak, mask),
        ssim_foreground=metrics.ssim(x, y, peak, mask),
    )


def _of_volumes(slices: Slices, peak: Array, volume: Array, n_pixels: int) -> Measures:
    """Return the means over volumes of what fastMRI takes of each."""
    n, seen = len(peak), slices.n_inside > 0
    n_seen = seen.astype(peak.dtype)

    def total(values: Array) -> Array:
        return jax.ops.segment_sum(values, volume, n)

    def mean_of_slices(values: Array) -> Array:
        return total(jnp.where(seen, values, 0.0)) / total(n_seen)

    measures = Measures(*(mean_of_slices(v[:, 0]) for v in slices.measures))
    square = jax.ops.segment_max(peak, volume, n) ** 2
    error, inside = total(slices.error), total(slices.inside_error)
    measures = measures._replace(
        psnr=10 * jnp.log10(square * n_pixels * total(jnp.ones_like(peak)) / error),
        nmse=error / total(slices.energy),
        psnr_foreground=10 * jnp.log10(square * total(slices.n_inside) / inside),
    )
    present = total(n_seen) > 0
    return Measures(*(values.mean(where=present) for values in measures))
