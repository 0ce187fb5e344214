"""Images of another size, by cropping and padding or by resampling."""

import numpy as np
from scipy import ndimage

SQUARE = 0.01
"""Pixels that differ less in height and width, relatively, are square."""


def crop_or_pad(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return [..., h, w] of the given size around the same centre, zeros outside.

    The pixel N//2 stays the pixel N//2, as the centre of an orthonormal transform does.

    Args:
      images: [..., h, w].
      size: (h, w) wanted.
    """
    for axis, wanted in zip((-2, -1), size, strict=True):
        have = images.shape[axis]
        start = have // 2 - wanted // 2
        if have >= wanted:
            images = images.take(range(start, start + wanted), axis)
        else:
            width = [(0, 0)] * images.ndim
            width[axis] = (-start, wanted - have + start)
            images = np.pad(images, width)
    return images


def resample(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return [n, h, w] resampled linearly to another size of the same extent.

    Where pixels grow, a Gaussian of (ratio - 1) / 2 pixels comes first, so that fine
    structure does not alias. Pixels are areas: the outer edges stay where they are.

    Args:
      images: [n, h, w] real.
      size: (h, w) wanted.
    """
    factors = [size[0] / images.shape[1], size[1] / images.shape[2]]
    spread = [max(0.0, (1 / factor - 1) / 2) for factor in factors]
    images = ndimage.gaussian_filter(images, (0.0, *spread), mode="nearest")
    zoom = (1.0, *factors)
    return np.asarray(
        ndimage.zoom(images, zoom, order=1, mode="nearest", grid_mode=True)
    )


def square(
    volume: np.ndarray, spacing: tuple[float, float]
) -> tuple[np.ndarray, float]:
    """Return [n, h, w] of square pixels of the same extent, and a pixel's height in mm.

    Where height and width differ by more than `SQUARE`, the coarser of the two is
    resampled, linearly, to the finer.

    Args:
      volume: [n, h, w] real.
      spacing: height and width of a pixel in mm.
    """
    finer = min(spacing)
    if max(spacing) <= (1 + SQUARE) * finer:
        return volume, spacing[0]
    h, w = (
        round(n * mm / finer) for n, mm in zip(volume.shape[1:], spacing, strict=True)
    )
    return resample(volume, (h, w)), finer
