"""One volume's image quality under the conventions in use, side by side.

A convention says what is compared, what peak PSNR, SSIM and HaarPSI refer to, and what
is averaged. None is wrong, and none may be compared with another: on the same images
they differ by 2 to 6 dB, and in what they forgive.

- `volume-max`, fastMRI's: images in the file's units, peak the maximum of the reference
  volume. PSNR and NMSE are those of the volume, all its pixels pooled; SSIM and HaarPSI
  are means over slices.
- `slice-max`, `metrics.CONVENTION` and InverseBench's: peak the maximum of each
  reference slice; means over slices, as in the two below.
- `range-1`, ScoreMed's and DDNM's: images in operator units, peak 1.
- `min-max`, DDS's: reference and estimate are each mapped to [0, 1] by their own
  minimum and maximum, peak 1. Forgives any gain and offset, but one outlying pixel
  dims a whole image, and one below zero lifts its background: SSIM falls most. NMSE is
  that of the mapped images.

Nothing is clipped and nothing cropped.
"""

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
    """A volume's measures under one convention.

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


def side_by_side(
    reference: Array, estimate: Array, scale: Array | None = None
) -> dict[str, Measures]:
    """Return a volume's measures under every convention.

    Slices whose reference is blank have no peak and are left out of means over slices;
    without any other, measures are NaN.

    Args:
      reference: [n, h, w] or [n, h, w, 2] in operator units; h and w at least 16.
      estimate: same shape.
      scale: [n], image in the file's units = scale · image in operator units; None is
        one unit for all.

    Raises:
      ValueError: if the images differ in shape, are not [n, h, w] or [n, h, w, 2], or
        are smaller than 16 pixels.
    """
    x, y = jax.vmap(metrics.magnitudes)(reference, estimate)
    scale = jnp.ones(len(x), x.dtype) if scale is None else scale
    in_file_units = scale[:, None, None] * x, scale[:, None, None] * y
    peak = in_file_units[0].max()
    measures, masks = jax.lax.map(
        lambda xys: _of_slice(xys, peak), (x, y, scale), batch_size=16
    )
    seen = masks.any((1, 2))
    means = [values.mean(0, where=seen[:, None]) for values in measures]
    columns = (Measures(*values) for values in zip(*means, strict=True))
    table = dict(zip(CONVENTIONS, columns, strict=True))
    return table | {"volume-max": _pooled(table["volume-max"], in_file_units, masks)}


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


def _of_slice(
    xys: tuple[Array, Array, Array], volume_peak: Array
) -> tuple[Measures, Array]:
    """Return the measures [4] of one slice, by `CONVENTIONS`, and its foreground."""
    x, y, scale = xys
    one = jnp.ones_like(volume_peak)
    peaks = jnp.stack([volume_peak, x.max(), one, one])
    references, estimates = (
        jnp.stack([scale * image, image, image, stretched(image)]) for image in (x, y)
    )
    mask = foreground(x)
    by_convention = jax.vmap(_measures, (0, 0, 0, None))
    return by_convention(references, estimates, peaks, mask), mask


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


def _pooled(means: Measures, images: tuple[Array, Array], masks: Array) -> Measures:
    """Return a volume's measures with those that fastMRI takes of all pixels at once.

    Args:
      means: over slices.
      images: references and estimates [n, h, w].
      masks: [n, h, w] bool, foregrounds.
    """
    # Pixel by pixel a volume is one tall image, whose maximum is the volume's.
    x, y = (stack.reshape(-1, stack.shape[2]) for stack in images)
    return means._replace(
        psnr=metrics.psnr(x, y),
        nmse=metrics.nmse(x, y),
        psnr_foreground=metrics.psnr(x, y, mask=masks.reshape(x.shape)),
    )
