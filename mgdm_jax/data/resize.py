"""Images of another size, by cropping and padding or by resampling."""

import numpy as np
from scipy import ndimage


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
