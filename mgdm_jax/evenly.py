"""Some of many, evenly spaced."""

import numpy as np


def spaced(n: int, most: int) -> np.ndarray:
    """Return where at most `most` of n lie, the first and the last among them.

    Args:
      n: how many there are.
      most: how many are wanted; all where there are fewer.

    Returns:
      Rising indices below n, int64.
    """
    return np.linspace(0, n - 1, min(n, most)).round().astype(int)
