"""Measurements split in two: most to reconstruct from, the others to judge by.

Cross-validation in the measurements' own domain needs no reference image: numbers are
good where lines of k-space, or views, that the sampler never saw are predicted well.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import measurements
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import fourier, masks, radon, sense, weighted
from mgdm_jax.types import Array

SHARE = 0.2
"""Share of the lines outside the densely sampled centre, or of the views, held out."""


class Part(NamedTuple):
    """Some of the measurements: their operator, y [n, …], σ_y in its units, weights."""

    operator: Any
    measurement: Array
    noise_std: float | np.ndarray
    weight: Array | None = None


def split(given: Measurements, config: Config) -> tuple[Measurements, Measurements]:
    """Return what is kept, to reconstruct from, and what is held out.

    Args:
      given: of MRI or CT.
      config: says how operators get their spectra.

    Raises:
      ValueError: if nothing of the measurements can be held out.
    """
    if given.per_image:
        each = [
            _split(operator, given.measurement[i : i + 1], given.noise_std)
            for i, operator in enumerate(given.operator)
        ]
        kept, held = (_stacked(parts) for parts in zip(*each, strict=True))
    else:
        kept, held = _split(
            given.operator, given.measurement, given.noise_std, given.weight
        )
        operator = measurements.with_spectrum(kept.operator, config)
        kept = kept._replace(operator=operator)
    return (
        dataclasses.replace(given, **kept._asdict()),
        # Nobody inverts it: it needs no spectrum.
        dataclasses.replace(given, **held._asdict(), prepare=lambda operator: operator),
    )


def _stacked(parts: tuple[Part, ...]) -> Part:
    y = jnp.concatenate([part.measurement for part in parts])
    return Part([part.operator for part in parts], y, parts[0].noise_std)


def _split(
    operator: Any,
    y: Array,
    noise_std: float | np.ndarray,
    weight: Array | None = None,
) -> tuple[Part, Part]:
    match operator:
        case fourier.MaskedFourier() | sense.Sense():
            is_real = len(operator.image_shape) == 2
            held = held_samples(np.asarray(operator.mask), is_real=is_real)
            parts = np.asarray(operator.mask) * (1 - held), held
            kept, out = (_with_mask(operator, mask) for mask in parts)
            return (
                Part(kept, jax.vmap(kept.sampled)(y), noise_std),
                Part(out, jax.vmap(out.sampled)(y), noise_std),
            )
        case radon.ParallelBeam():
            held = held_views(len(operator.directions))
            return (
                _views(operator, y, noise_std, weight, ~held),
                _views(operator, y, noise_std, weight, held),
            )
        case _:
            raise ValueError(
                "lines are held out of MRI or CT only; take --config.sweep.criterion="
                "psnr, or sure or discrepancy for noisy measurements."
            )


def _with_mask(operator: Any, mask: np.ndarray) -> Any:
    changed = {"mask": jnp.asarray(mask, jnp.float32)}
    if isinstance(operator, sense.Sense):
        changed |= {"row_vectors": None, "row_values": None}
    return dataclasses.replace(operator, **changed)


def _views(
    operator: radon.ParallelBeam,
    y: Array,
    noise_std: float | np.ndarray,
    weight: Array | None,
    taken: np.ndarray,
) -> Part:
    cosine, sine = np.asarray(operator.directions, np.float64)[taken].T
    angles = np.rad2deg(np.arctan2(sine, cosine))
    part = radon.parallel_beam(angles, operator.size)
    ratio = float(operator.scale) / float(part.scale)  # each has norm 1
    noise_std = ratio * noise_std
    if weight is not None:
        level = np.asarray(noise_std)[:, None, None]
        deviations = level / np.asarray(weight)[:, taken]
        weight, level = jax.jit(weighted.levelled)(part, deviations)
        noise_std = np.asarray(level)
    return Part(part, ratio * y[:, taken], noise_std, weight)


def held_samples(mask: np.ndarray, *, is_real: bool) -> np.ndarray:
    """Return 1 where a sample is held out [h, w], corner order.

    Whole lines where the mask is of lines, across the axis that is sampled less, else
    samples; drawn once and for all from those outside the centre that is sampled
    without a gap: what surrounds the gaps tells how well gaps are filled.

    Args:
      mask: [h, w], 1 where sampled, corner order.
      is_real: whether images are real: k and -k then are one piece of information, and
        go together.

    Raises:
      ValueError: if there are fewer than two lines outside the centre.
    """
    sampled = mask > 0
    rows, columns = np.any(sampled, axis=1), np.any(sampled, axis=0)
    if sampled.sum() < rows.sum() * columns.sum():
        pattern = sampled
    elif columns.mean() <= rows.mean():
        pattern = columns[None, :]
    else:
        pattern = rows[:, None]
    return (mask * _drawn(pattern, is_real=is_real)).astype(np.float32)


def _drawn(pattern: np.ndarray, *, is_real: bool) -> np.ndarray:
    """Return which of the lines, or samples, outside the centre are held out."""
    outside = fourier.centred_to_corner_mask(_without_centre(pattern)) > 0
    candidates = np.flatnonzero(outside)
    if len(candidates) < 2:
        raise ValueError(
            f"{len(candidates)} lines outside the centre of k-space are too few to "
            "hold any out; take --config.sweep.criterion=psnr."
        )
    n, rng = max(1, round(SHARE * len(candidates))), np.random.default_rng(0)
    held = np.zeros(pattern.shape, bool)
    if is_real:
        held.flat[_with_mirrors(outside, rng.permutation(candidates), n)] = True
        return (held | masks.mirrored(held)) & outside
    held.flat[rng.choice(candidates, n, replace=False)] = True
    return held


def _with_mirrors(outside: np.ndarray, order: np.ndarray, n: int) -> np.ndarray:
    """Return the first of an order of which as many as n, or one, go with mirrors."""
    mirror = masks.mirrored(np.arange(outside.size).reshape(outside.shape)).ravel()
    _, first = np.unique(np.minimum(order, mirror[order]), return_index=True)
    order = order[np.sort(first)]
    size = 1 + (outside.flat[mirror[order]] & (mirror[order] != order))
    return order[np.cumsum(size) <= max(n, size[0])]


def _without_centre(pattern: np.ndarray) -> np.ndarray:
    """Return the pattern, centred, without its largest full square or band about DC."""
    centred = np.asarray(fourier.corner_to_centred_mask(pattern)).copy()

    def about_dc(reach: int) -> tuple[slice, ...]:
        middles = [n // 2 for n in centred.shape]
        return tuple(slice(max(0, m - reach), m + reach + 1) for m in middles)

    reach, most = 0, min(n // 2 for n in centred.shape if n > 1)
    while reach < most and centred[about_dc(reach)].all():
        reach += 1
    if reach:
        centred[about_dc(reach - 1)] = 0
    return centred


def held_views(n_views: int) -> np.ndarray:
    """Return whether a view is held out [v]: evenly spaced ones.

    Raises:
      ValueError: of fewer than two views.
    """
    if n_views < 2:
        raise ValueError("one view cannot be held out; at least two are needed.")
    n = max(1, round(SHARE * n_views))
    held = np.zeros(n_views, bool)
    held[((np.arange(n) + 0.5) * n_views / n).astype(int)] = True
    return held
