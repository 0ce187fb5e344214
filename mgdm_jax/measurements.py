"""Measurements of one kind, and what simulated and scanned ones have in common."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax import methods
from mgdm_jax.defaults import Config
from mgdm_jax.operators import harmonics, masks, radon, sense, spectrum, weighted
from mgdm_jax.types import Array, Problem

DERIVED = ("row_vectors", "row_values", "dual_vectors", "dual_values", "harmonics")
"""Fields of operators that follow from the others, to the last bit on one machine."""


@dataclasses.dataclass(frozen=True)
class Measurements:
    """n inverse problems of one kind.

    Attributes:
      operator: shared by all, or a list of one an image.
      prepare: finishes an operator of the list when its turn comes: row spectra of a
        whole scan would not fit into memory.
      measurement: [n, …] in operator units.
      noise_std: σ_y, operator units; [n] of those with weights.
      reference: [n, h, w] or [n, h, w, 2] in operator units, or None.
      scale: [n] image in the file's units = scale · image in operator units.
      region: [h, w] pixels that A sees, or None for all; images are zero elsewhere.
      facts: what a reader of the results must know; goes into metrics.json.
      level: acceleration or number of views of a file, by which numbers are chosen;
        None of simulated ones, which have the configuration's.
      weight: [n, …] W of `operators.weighted`, or None where all are equally noisy;
        `problem` multiplies A and y by it.
      whose: column -> [n], whose slice each image is, `prepared.WHOSE`; empty where
        all are of one volume.
    """

    operator: Any
    measurement: Array
    noise_std: float | np.ndarray
    reference: np.ndarray | None
    scale: np.ndarray
    region: np.ndarray | None
    facts: dict
    prepare: Callable[[Any], Any] = lambda operator: operator
    level: float | None = None
    weight: Array | None = None
    whose: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def per_image(self) -> bool:
        """Whether every image has an operator of its own."""
        return isinstance(self.operator, list)

    def __len__(self) -> int:
        """Return n."""
        return self.measurement.shape[0]

    def given(self) -> list[Array | np.ndarray | float]:
        """Return all that a file gave or a simulation made, and nothing derived."""
        leaves = jax.tree_util.tree_leaves_with_path(self.operator)
        found = [leaf for way, leaf in leaves if not _is_derived(way)]
        # Weights and their level follow, of a device's arithmetic.
        noise = [] if self.weight is not None else [self.noise_std]
        found += [self.measurement, *noise, self.scale]
        return found + [v for v in (self.reference, self.region) if v is not None]

    def problem(self, index: np.ndarray) -> Problem:
        """Return the problems [b] at `index`; see `axes`."""
        operator, y, sigma = self.operator, self.measurement[index], self.noise_std
        if self.per_image:
            # A batch is filled up with repeats of one image: prepare that one once.
            made = {i: self.prepare(self.operator[i]) for i in set(index.tolist())}
            each = [made[i] for i in index.tolist()]
            operator = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
        if self.weight is not None:
            weight, sigma = self.weight[index], np.asarray(sigma)[index]
            operator, y = weighted.Weighted(operator, weight), weight * y
        return Problem(operator, y, jnp.float32(sigma))

    def single(self, i: int) -> Problem:
        """Return the problem of one image, without an axis for it."""
        return jax.tree.map(
            lambda axis, part: part if axis is None else jax.tree.map(_first, part),
            self.axes,
            self.problem(np.array([i])),
            is_leaf=lambda axis: axis is None,
        )

    def take(self, index: np.ndarray) -> "Measurements":
        """Return the problems [b] at `index` as measurements of their own."""
        operator, reference = self.operator, self.reference
        if self.per_image:
            operator = [operator[i] for i in index.tolist()]
        weights: dict[str, Any] = {}
        if self.weight is not None:
            noise_std = np.asarray(self.noise_std)[index]
            weights = {"weight": self.weight[index], "noise_std": noise_std}
        return dataclasses.replace(
            self,
            **weights,
            operator=operator,
            measurement=self.measurement[index],
            reference=None if reference is None else reference[index],
            scale=self.scale[index],
            whose={name: values[index] for name, values in self.whose.items()},
        )

    def in_file_units(self, images: np.ndarray) -> np.ndarray:
        """Return images [n, h, w] or, two channels joined, complex in the file's units.

        Args:
          images: operator units.
        """
        if images.ndim == 4:
            images = images[..., 0] + 1j * images[..., 1]
        return images * self.scale[:, None, None]

    @property
    def volumes(self) -> np.ndarray:
        """[n] integers, which images are slices of one volume."""
        if not self.whose:
            return np.zeros(len(self), np.int32)
        columns = (self.whose[name] for name in ("subject", "volume", "label"))
        names = list(zip(*columns, strict=True))
        order = {name: i for i, name in enumerate(dict.fromkeys(names))}
        return np.array([order[name] for name in names], np.int32)

    @property
    def axes(self) -> Problem:
        """`in_axes` of `jax.vmap` for what `problem` returns."""
        axis: Any = 0 if self.per_image else None
        if self.weight is None:
            return Problem(axis, 0, None)  # type: ignore[arg-type]
        return Problem(weighted.Weighted(axis, 0), 0, 0)  # type: ignore[arg-type]


def _first(leaf: Array) -> Array:
    return leaf[0]


def _is_derived(way: tuple) -> bool:
    return any(getattr(key, "name", "") in DERIVED for key in way)


def expected_residual(given: Measurements) -> float:
    """Return σ_y √m / ‖y‖: the relative misfit of the true images, weighted as it is.

    m real numbers are measured, about those that are not zero.
    """
    y = np.asarray(given.measurement)
    y = y if given.weight is None else y * np.asarray(given.weight)
    measured = np.count_nonzero(y.reshape(len(y), -1), axis=1)
    n_parts = 2 if np.iscomplexobj(y) else 1
    noise = np.sqrt(n_parts * np.sum(measured * np.square(given.noise_std)))
    return float(noise / max(np.linalg.norm(y), np.finfo(np.float32).tiny))


def with_spectrum(operator: Any, config: Config) -> Any:
    """Return the operator with its spectrum or harmonics, where wanted and known."""
    return spectral(operator) if methods.wants_spectrum(config) else operator


def with_photons(
    made: Measurements, deviations: np.ndarray, config: Config
) -> Measurements:
    """Return measurements of unequal noise: with weights, for a method that weighs.

    For others with the operator's spectrum, where wanted, and for σ_y the root mean
    square of all deviations.

    Args:
      made: operator shared and without a spectrum.
      deviations: [n, …] σ_i > 0 in operator units.
      config: names I₀, the method, and how it solves.
    """
    deviations = np.asarray(deviations, np.float32)
    if methods.weighs(config):
        weight, sigma = jax.jit(weighted.levelled)(made.operator, deviations)
        changes = {"weight": weight, "noise_std": np.asarray(sigma)}
    else:
        sigma = float(np.sqrt(np.mean(np.square(deviations))))
        operator = with_spectrum(made.operator, config)
        changes = {"operator": operator, "noise_std": sigma}
    facts = {"photons": config.task.photons, "weighted": "weight" in changes}
    facts |= {"noise_std": float(np.mean(sigma))}
    return dataclasses.replace(made, **changes, facts=made.facts | facts)


def spectral(operator: Any) -> Any:
    """Return the operator with its spectrum or harmonics, where they are known."""
    match operator:
        case _ if getattr(operator, "has_spectrum", False):
            return operator
        case radon.ParallelBeam(harmonics=spectrum.Eigen()):
            return operator
        case sense.Sense() if (np.asarray(operator.mask) == operator.mask[:1]).all():
            return sense.with_row_spectrum(operator)
        case radon.ParallelBeam() if operator.n_rows <= spectrum.MAX_DUAL_ROWS:
            return radon.with_dual_spectrum(operator, spectrum.default_cache_dir())
        case radon.ParallelBeam() if _has_harmonics(operator):
            return radon.with_harmonics(operator, spectrum.default_cache_dir())
        case _:
            return operator


def _has_harmonics(operator: radon.ParallelBeam) -> bool:
    directions = np.asarray(operator.directions)
    held = harmonics.within_reach(len(directions), operator.size)
    return held and harmonics.evenly_spread(directions)


def mask_facts(mask: np.ndarray, *, real_image: bool) -> dict:
    """Return nominal and effective acceleration of a mask in centred order."""
    return {
        "nominal_acceleration": round(masks.nominal_acceleration(mask), 3),
        "effective_acceleration": round(
            masks.effective_acceleration(mask, real_image), 3
        ),
    }


def view_facts(n_views: int, detectors: int) -> dict:
    """Return the number of views and how far it is below what Nyquist asks for.

    A parallel-beam scan of N detectors wants about πN/2 views, so that their spacing at
    the rim of the image's spectrum is its spacing along a view (Kak & Slaney 1988,
    chapter 5).
    """
    return {
        "n_views": n_views,
        "effective_acceleration": round(math.pi / 2 * detectors / n_views, 3),
    }


def check_size(
    source: str, size: tuple[int, ...], image_shape: tuple[int, ...], hint: str = ""
) -> None:
    """Refuse data of another size than the prior's.

    Raises:
      ValueError: naming both sizes.
    """
    if tuple(size) != tuple(image_shape[:2]):
        raise ValueError(
            f"{source} has images of {size[0]}x{size[1]}, the prior is for "
            f"{image_shape[0]}x{image_shape[1]}; resample the data or give a prior of "
            f"that size{hint}."
        )
