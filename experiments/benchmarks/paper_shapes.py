"""Problems at the paper's scale, as shapes: for programs that are only compiled."""

from typing import Any

import jax
import jax.numpy as jnp

from mgdm_jax.defaults import Config
from mgdm_jax.operators import ell, fourier, radon
from mgdm_jax.types import Problem


def abstract(shape: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
    """Return an array that is not there."""
    return jax.ShapeDtypeStruct(shape, dtype)


def problem_of(config: Config, image_shape: tuple[int, ...]) -> Problem:
    """Return the shapes of one problem."""
    size = image_shape[0]
    if config.task.kind != "ct":
        operator = fourier.MaskedFourier(abstract((size, size)), len(image_shape) == 3)
        return Problem(operator, abstract((size, size), jnp.complex64), abstract(()))
    n_views, n_rows = config.task.n_views, config.task.n_views * size

    def weights(*shape: int) -> ell.Ell:
        return ell.Ell(abstract(shape, jnp.int32), abstract(shape))

    operator = radon.ParallelBeam(
        rows=weights(3 * size, n_rows),
        columns=weights(3 * n_views, size**2),
        directions=abstract((n_views, 2)),
        scale=abstract(()),
        size=size,
        dual_vectors=abstract((n_rows, n_rows)),
        dual_values=abstract((n_rows,)),
    )
    return Problem(operator, abstract((n_views, size)), abstract(()))
