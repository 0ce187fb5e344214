"""Measurements of one kind, and what simulated and scanned ones have in common."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax.operators import masks, radon, sense, spectrum
from mgdm_jax.types import Array, Problem


@dataclasses.dataclass(frozen=True)
class Measurements:
    """n inverse problems of one kind.

    Attributes:
      operator: shared by all, or stacked along the first axis of every leaf.
      per_image: whether `operator` is stacked.
      measurement: [n, …] in operator units.
      noise_std: σ_y, operator units.
      reference: [n, h, w] or [n, h, w, 2] in operator units, or None.
      scale: [n] image in the file's units = scale · image in operator units.
      region: [h, w] pixels that A sees, or None for all; images are zero elsewhere.
      facts: what a reader of the results must know; goes into metrics.json.
    """

    operator: Any
    per_image: bool
    measurement: Array
    noise_std: float
    reference: np.ndarray | None
    scale: np.ndarray
    region: np.ndarray | None
    facts: dict

    def __len__(self) -> int:
        """Return n."""
        return self.measurement.shape[0]

    def problem(self, index: Array) -> Problem:
        """Return the problems [b] at `index`; see `axes`."""
        operator = self.operator
        if self.per_image:
            operator = jax.tree.map(lambda leaf: leaf[index], operator)
        return Problem(operator, self.measurement[index], jnp.float32(self.noise_std))

    @property
    def axes(self) -> Problem:
        """`in_axes` of `jax.vmap` for what `problem` returns."""
        return Problem(0 if self.per_image else None, 0, None)  # type: ignore[arg-type]


def multi_coil(mask: np.ndarray, maps: np.ndarray) -> sense.Sense:
    """Return the SENSE operator, with its spectrum where whole columns are sampled."""
    operator = sense.sense(mask, maps)
    columns = bool((mask == mask[:1]).all())
    return sense.with_row_spectrum(operator) if columns else operator


def mask_facts(mask: np.ndarray, *, real_image: bool) -> dict:
    """Return nominal and effective acceleration of a mask, in either order."""
    return {
        "nominal_acceleration": round(masks.nominal_acceleration(mask), 3),
        "effective_acceleration": round(
            masks.effective_acceleration(mask, real_image), 3
        ),
    }


def projector(angles_deg: np.ndarray, size: int) -> radon.ParallelBeam:
    """Return the projector, with its spectrum where that is within reach."""
    operator = radon.parallel_beam(angles_deg, size)
    if len(angles_deg) * size > spectrum.MAX_DUAL_ROWS:
        return operator
    return radon.with_dual_spectrum(operator, spectrum.default_cache_dir())


def check_size(
    source: str, size: tuple[int, ...], image_shape: tuple[int, ...]
) -> None:
    """Refuse data of another size than the prior's.

    Raises:
      ValueError: naming both sizes.
    """
    if tuple(size) != tuple(image_shape[:2]):
        raise ValueError(
            f"{source} has images of {size[0]}x{size[1]}, the prior is for "
            f"{image_shape[0]}x{image_shape[1]}; resample the data or give a prior of "
            "that size with --config.prior.path."
        )
