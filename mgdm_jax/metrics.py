"""Image quality with fastMRI's constants, and the paired bootstrap.

For ONE image; batch with `jax.vmap`. Images are [h, w], or [h, w, 2] compared by
magnitude. The peak is the reference slice's maximum unless given: put `CONVENTION`
beside every number, other conventions differ by 1 to 3 dB.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax.types import Array

CONVENTION = "slice-max"
"""Peak of PSNR and range of SSIM: the maximum of each reference slice."""

SSIM_WINDOW = 7
SSIM_K1, SSIM_K2 = 0.01, 0.03


class Scores(NamedTuple):
    """The three metrics of one image; scalars, or [n] after `vmap`.

    Attributes:
      psnr: peak signal-to-noise ratio in dB, larger is better.
      ssim: structural similarity, 1 for equal images.
      nmse: ‖estimate - reference‖² / ‖reference‖², smaller is better.
    """

    psnr: Array
    ssim: Array
    nmse: Array


def score(reference: Array, estimate: Array) -> Scores:
    """Return all metrics of one image under `CONVENTION`.

    Raises:
      ValueError: if the images differ in shape or are not [h, w] or [h, w, 2].
    """
    return Scores(
        psnr=psnr(reference, estimate),
        ssim=ssim(reference, estimate),
        nmse=nmse(reference, estimate),
    )


def psnr(reference: Array, estimate: Array, peak: Array | None = None) -> Array:
    """Return 10 log10(peak² / mean squared error) in dB; infinite for equal images.

    Args:
      reference: [h, w] or [h, w, 2].
      estimate: same shape.
      peak: scalar; None is the maximum of the reference.

    Raises:
      ValueError: if the images differ in shape or are not [h, w] or [h, w, 2].
    """
    x, y = _magnitudes(reference, estimate)
    peak = x.max() if peak is None else peak
    return 10 * jnp.log10(peak**2 / ((x - y) ** 2).mean())


def nmse(reference: Array, estimate: Array) -> Array:
    """Return ‖estimate - reference‖² / ‖reference‖².

    Raises:
      ValueError: if the images differ in shape or are not [h, w] or [h, w, 2].
    """
    x, y = _magnitudes(reference, estimate)
    return ((x - y) ** 2).sum() / (x**2).sum()


def ssim(reference: Array, estimate: Array, data_range: Array | None = None) -> Array:
    """Return the mean structural similarity over uniform 7×7 windows.

    Windows that leave the image are left out and covariances are unbiased
    (NP / (NP - 1)), as in `skimage.metrics.structural_similarity` and fastMRI.

    Args:
      reference: [h, w] or [h, w, 2], h and w at least 7.
      estimate: same shape.
      data_range: scalar; None is the maximum of the reference.

    Raises:
      ValueError: if the images differ in shape, are not [h, w] or [h, w, 2], or are
        smaller than a window.
    """
    x, y = _magnitudes(reference, estimate)
    if min(x.shape) < SSIM_WINDOW:
        raise ValueError(f"images must be at least 7 by 7 pixels, got shape {x.shape}.")
    data_range = x.max() if data_range is None else data_range
    c1, c2 = (SSIM_K1 * data_range) ** 2, (SSIM_K2 * data_range) ** 2
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    shift = x.mean()  # float32: variances of numbers far from zero cancel badly
    var_x = _window_covariance(x - shift, x - shift)
    var_y = _window_covariance(y - shift, y - shift)
    cov = _window_covariance(x - shift, y - shift)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * cov + c2) / (var_x + var_y + c2)).mean()


def bootstrap_interval(
    differences: np.ndarray,
    *,
    seed: int,
    level: float = 0.95,
    n_resamples: int = 10_000,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean paired difference.

    Args:
      differences: [n] metric of one method minus that of another, image by image.
      seed: of the resampling.
      level: coverage, in (0, 1).
      n_resamples: bootstrap means.

    Raises:
      ValueError: if `differences` is not [n ≥ 2] or `level` lies outside (0, 1).
    """
    differences = np.asarray(differences, np.float64)
    if differences.ndim != 1 or len(differences) < 2:
        raise ValueError(f"differences must be [n ≥ 2], got {differences.shape}.")
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}.")
    n = len(differences)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)
    tail = (1 - level) / 2
    low, high = np.quantile(counts @ differences / n, [tail, 1 - tail])
    return float(low), float(high)


def _magnitudes(reference: Array, estimate: Array) -> tuple[Array, Array]:
    """Return both images as magnitudes [h, w]."""
    shape = reference.shape
    if estimate.shape != shape:
        raise ValueError(
            f"estimate must have the reference's shape {shape}, got {estimate.shape}."
        )
    if len(shape) == 2:
        return reference, estimate
    if len(shape) == 3 and shape[2] == 2:
        return (
            jnp.hypot(reference[..., 0], reference[..., 1]),
            jnp.hypot(estimate[..., 0], estimate[..., 1]),
        )
    raise ValueError(f"images must be [h, w] or [h, w, 2], got shape {shape}.")


def _window_mean(x: Array) -> Array:
    """Return the mean over every full window, [h - 6, w - 6]."""
    window = (SSIM_WINDOW, SSIM_WINDOW)
    total = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1, 1), "VALID")
    return total / SSIM_WINDOW**2


def _window_covariance(x: Array, y: Array) -> Array:
    """Return the unbiased covariance over every full window, [h - 6, w - 6]."""
    n = SSIM_WINDOW**2
    biased = _window_mean(x * y) - _window_mean(x) * _window_mean(y)
    return n / (n - 1) * biased
