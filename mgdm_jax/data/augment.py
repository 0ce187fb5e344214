"""Random slices through real volumes: 3-D geometry first, then intensities.

A few volumes 1 to 5 mm apart hold far more anatomy than their own slices. Each draw
cuts a plane through one of them, tilted, rotated, scaled, shifted and elastically
bent, and samples it with cubic splines; linear interpolation would teach the prior
to blur. A share of the draws moves by whole pixels only, so that native sharpness is
seen as well.

Every function is pure given its `numpy.random.Generator`. Images are [h, w] float32
in [0, 1]; points are (slice, row, column).
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy import interpolate, ndimage

from mgdm_jax.data import plain_slices


class Geometry(NamedTuple):
    """Ranges of the random plane; angles in degrees, lengths in mm.

    Attributes:
      tilt: largest tilt out of the slice, about each in-plane axis.
      rotation: largest rotation in the plane.
      scale: largest common |log scale|.
      anisotropy: largest additional |log scale| of each axis.
      shift: largest in-plane shift of the plane's centre.
      elastic: standard deviation of the elastic displacement (slice, row, column);
        small across slices where these lie far apart, lest neighbours blend.
      native: share of the draws that only shift by whole pixels and flip.
    """

    tilt: float
    rotation: float
    scale: float
    anisotropy: float
    shift: float
    elastic: tuple[float, float, float]
    native: float


BRAIN = Geometry(15.0, 15.0, 0.11, 0.055, 6.0, (3.0, 3.0, 3.0), 0.25)
CHEST = Geometry(4.0, 10.0, 0.11, 0.055, 16.0, (1.0, 5.0, 5.0), 0.25)

NATIVE_SHIFT = 4
"""Largest shift of a native slice in pixels."""

FIELD_KNOTS = 4
"""Spline intervals across the image of a random smooth field."""


class Volume(NamedTuple):
    """One training volume, prepared once.

    Attributes:
      values: [n, h, w] float32 in [0, 1].
      coefficients: [n, h + 2, w + 2] cubic-spline coefficients; the border is air.
      spacing: (slice, row, column) in mm.
      usable: [n] how much each slice is worth drawing, in [0, 1].
    """

    values: np.ndarray
    coefficients: np.ndarray
    spacing: np.ndarray
    usable: np.ndarray


def prepare(values: np.ndarray, spacing: tuple[float, float, float]) -> Volume:
    """Return the volume with its spline coefficients and the worth of its slices.

    Args:
      values: [n, h, w] float32 in [0, 1].
      spacing: (slice, row, column) in mm.

    Raises:
      ValueError: if the volume is not [n, h, w] with n ≥ 4, or has no foreground.
    """
    if values.ndim != 3 or len(values) < 4:
        raise ValueError(f"volume must be [n ≥ 4, h, w], got shape {values.shape}.")
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    return Volume(
        values=values,
        coefficients=ndimage.spline_filter(padded, mode="mirror").astype(np.float32),
        spacing=np.asarray(spacing, np.float64),
        usable=plain_slices.usable(values),
    )


def draw_slice(
    rng: np.random.Generator, volumes: tuple[Volume, ...], geometry: Geometry
) -> np.ndarray:
    """Return a random slice [h, w] in [0, 1] through one of the volumes.

    Every slice of every volume is drawn in proportion to its `usable`.
    """
    worth = np.concatenate([volume.usable for volume in volumes])
    position = int(rng.choice(len(worth), p=worth / worth.sum()))
    for volume in volumes:
        if position < len(volume.values):
            break
        position -= len(volume.values)
    if rng.random() < geometry.native:
        image = _shift(volume.values[position], rng)
    else:
        points = random_plane(rng, volume, position, geometry)
        image = resample(volume, points)
    return image[:, ::-1] if rng.random() < 0.5 else image


def random_plane(
    rng: np.random.Generator, volume: Volume, position: int, geometry: Geometry
) -> np.ndarray:
    """Return voxel coordinates [3, h, w] of a random bent plane near a slice.

    The plane is moved along the slice axis to stay inside the volume where it can:
    the scan's first and last slice cut through anatomy.

    Args:
      rng: generator of the draw.
      volume: gives size and spacing.
      position: slice that the plane's centre starts from.
      geometry: ranges of the draw.
    """
    n, h, w = volume.values.shape
    matrix = _random_matrix(rng, geometry)
    y, x = np.indices((h, w), np.float64)
    y, x = (y - (h - 1) / 2), (x - (w - 1) / 2)
    _, dy, dx = volume.spacing
    axes = matrix[:, 1:] * (dy, dx)
    points = axes[:, 0, None, None] * y + axes[:, 1, None, None] * x
    for axis, elastic in enumerate(geometry.elastic):
        points[axis] += elastic * smooth_field(rng, (h, w))
    points[1:] += rng.uniform(-geometry.shift, geometry.shift, (2, 1, 1))
    points /= volume.spacing[:, None, None]
    points += np.array([position, (h - 1) / 2, (w - 1) / 2])[:, None, None]
    points[0] = _inside(points[0], n)
    return points


def resample(volume: Volume, points: np.ndarray) -> np.ndarray:
    """Return the volume at voxel coordinates [3, h, w] by cubic splines, in [0, 1].

    Outside the field of view there is air; beyond the first and the last slice, the
    slice itself.
    """
    padded = points + np.array([0, 1, 1])[:, None, None]
    last = np.array(volume.coefficients.shape)[:, None, None] - 1
    image = ndimage.map_coordinates(
        volume.coefficients,
        np.clip(padded, 0, last),
        output=np.float32,
        order=3,
        mode="mirror",  # as `prepare` filters; "nearest" would clamp coefficients
        prefilter=False,
    )
    return np.clip(image, 0, 1)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a smooth random field [h, w] of zero mean and unit standard deviation.

    Cubic B-spline with normal coefficients, `FIELD_KNOTS` intervals a side; the
    deviation is that over draws, averaged over the image.
    """
    rows, columns = _spline_basis(shape[0]), _spline_basis(shape[1])
    return rows @ rng.standard_normal((FIELD_KNOTS + 3,) * 2) @ columns.T


def brain_contrast(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return a brain [h, w] with another contrast, gain and receive field.

    Gamma 0.75 to 1.35, in one draw of five replaced by a random monotone curve; gain
    0.8 to 1.1; a smooth multiplicative bias field within ±20 %.
    """
    if rng.random() < 0.2:
        steps = rng.gamma(3.0, size=8)
        curve = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
        image = np.interp(image, np.linspace(0, 1, len(curve)), curve)
    else:
        image = image ** np.float32(np.exp(rng.uniform(np.log(0.75), np.log(1.35))))
    bias = smooth_field(rng, (image.shape[0], image.shape[1]))
    bias *= rng.uniform(0, 0.2) / np.abs(bias).max()
    gain = rng.uniform(0.8, 1.1)
    return np.clip(gain * image * (1 + bias), 0, 1).astype(np.float32)


def chest_contrast(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return a chest [h, w] with gain and offset within ±1 %: HU are absolute.

    Air outside the scanned field stays exactly zero.
    """
    gain, offset = rng.uniform(-0.01, 0.01, 2)
    return np.clip(image * (1 + gain) + offset * (image > 0), 0, 1).astype(np.float32)


def _random_matrix(rng: np.random.Generator, geometry: Geometry) -> np.ndarray:
    """Return tilts times in-plane rotation times scaling, [3, 3] in mm."""
    tilts = rng.uniform(-geometry.tilt, geometry.tilt, 2)
    angle = rng.uniform(-geometry.rotation, geometry.rotation)
    scale = rng.uniform(-geometry.scale, geometry.scale)
    scales = scale + rng.uniform(-geometry.anisotropy, geometry.anisotropy, 3)
    about_row, about_column, in_plane = np.deg2rad([*tilts, angle])
    c, s = np.cos(about_column), np.sin(about_column)
    matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    c, s = np.cos(about_row), np.sin(about_row)
    matrix = matrix @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    c, s = np.cos(in_plane), np.sin(in_plane)
    matrix = matrix @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return np.exp(scales)[:, None] * matrix


def _inside(z: np.ndarray, n: int) -> np.ndarray:
    """Shift slice coordinates [h, w] into [0, n - 1], half a side about the centre."""
    h, w = z.shape
    centre = z[h // 8 : h - h // 8, w // 8 : w - w // 8]
    low, high = centre.min(), centre.max()
    if high - low > n - 1:
        return z + (n - 1 - high - low) / 2
    return z + max(0.0, -low) - max(0.0, high - (n - 1))


def _shift(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the image moved by whole pixels, zero where nothing is known."""
    dy, dx = rng.integers(-NATIVE_SHIFT, NATIVE_SHIFT, 2, endpoint=True)
    padded = np.pad(image, NATIVE_SHIFT)
    y, x = NATIVE_SHIFT + dy, NATIVE_SHIFT + dx
    return padded[y : y + image.shape[0], x : x + image.shape[1]]


@functools.cache
def _spline_basis(size: int) -> np.ndarray:
    """Return cubic B-splines [size, FIELD_KNOTS + 3], unit energy over the pixels."""
    knots = np.arange(-3, FIELD_KNOTS + 4)
    t = np.linspace(0, FIELD_KNOTS, size)
    basis = interpolate.BSpline.design_matrix(t, knots, 3).toarray()
    return basis / np.sqrt((basis**2).sum(1).mean())
