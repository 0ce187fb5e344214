"""Simulated coil sensitivities and simulated image phase, made on the host.

Nothing here is measured: these fields stand in for receive coils and for the slowly
varying phase of a scan, to turn magnitude images into multi-coil data.
"""

import numpy as np


def birdcage_sensitivities(
    shape: tuple[int, int], n_coils: int, radius: float = 1.5
) -> np.ndarray:
    """Return simulated sensitivities [c, h, w] complex64 with Σ_c |S_c|² = 1.

    Coil j sits at angle 2πj/c on a circle around the image. Its field is that of a
    wire along the axis: magnitude 1/distance, phase the direction towards the coil,
    turned by the coil's own angle.

    Args:
      shape: (h, w).
      n_coils: number of coils, at least 1.
      radius: distance of the coils from the centre in half image sides, above √2 so
        that no coil lies inside the image.

    Raises:
      ValueError: if `n_coils` < 1 or `radius` ≤ √2.
    """
    if n_coils < 1:
        raise ValueError(f"n_coils must be at least 1, got {n_coils}.")
    if radius <= np.sqrt(2):
        raise ValueError(f"radius must exceed √2, got {radius}.")
    y, x = _coordinates(shape)
    theta = (2 * np.pi * np.arange(n_coils) / n_coils)[:, None, None]
    dx, dy = x - radius * np.cos(theta), y - radius * np.sin(theta)
    # Measured from the coil's axis, the direction stays within ±π/2: no phase wrap.
    towards = np.arctan2(
        -dy * np.cos(theta) + dx * np.sin(theta),
        -dx * np.cos(theta) - dy * np.sin(theta),
    )
    maps = np.exp(1j * (towards + theta)) / np.hypot(dx, dy)
    maps /= np.sqrt((np.abs(maps) ** 2).sum(0))
    return maps.astype(np.complex64)


def smooth_phase(
    shape: tuple[int, int], seed: int, order: int = 3, max_phase: float = np.pi / 2
) -> np.ndarray:
    """Return a simulated phase [h, w] float32 in radians: a random polynomial.

    Args:
      shape: (h, w).
      seed: of `numpy.random.default_rng`.
      order: total degree of the polynomial in x and y.
      max_phase: largest absolute phase in radians.

    Raises:
      ValueError: if `order` < 1 or `max_phase` < 0.
    """
    if order < 1 or max_phase < 0:
        raise ValueError(
            f"order must be at least 1 and max_phase at least 0, got {order}, "
            f"{max_phase}."
        )
    rng = np.random.default_rng(seed)
    y, x = _coordinates(shape)
    phase = np.zeros(shape)
    for degree in range(1, order + 1):
        for power in range(degree + 1):
            phase += rng.normal() / degree * x**power * y ** (degree - power)
    phase *= max_phase / np.abs(phase).max()
    return phase.astype(np.float32)


def _coordinates(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return y [h, 1] and x [1, w] in half sides, zero at N//2."""
    h, w = shape
    return (
        ((np.arange(h) - h // 2) / (h / 2))[:, None],
        ((np.arange(w) - w // 2) / (w / 2))[None],
    )
