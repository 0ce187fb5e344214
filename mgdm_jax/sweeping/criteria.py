"""How candidates of ζ, λ, ρ, η are judged: by a reference image, or without one."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from mgdm_jax import metrics, reconstruction
from mgdm_jax.factory import Sampler
from mgdm_jax.operators import linalg
from mgdm_jax.types import Array, Guidance, Params, Problem

MeritFn = Callable[
    [Array, Params, Problem, Problem | None, Array, Guidance, Array], Array
]
"""(key, params, problem, held-out problem, reference, guidance, image) -> scalar.

The more, the better.
"""

PROBE_STREAM = 2**31 - 3
"""Folded into an image's key for the probe: the sampler splits the key itself."""

PROBE = 0.1
"""Size of SURE's finite difference, in units of the noise."""

REFERENCE = "psnr"
CRITERIA = (REFERENCE, "held_out", "discrepancy", "sure")
"""Values of `config.sweep.criterion`; the first asks for references."""

UNRELATED = -math.sqrt(2)
"""Merit, by held-out measurements, of an image that has their energy and no more."""

NOISY = ("discrepancy", "sure")
"""Those that rest on the noise level."""


def make(criterion: str, sampler: Sampler) -> MeritFn:
    """Return the merit of an image under a criterion.

    Args:
      criterion: one of `CRITERIA`.
      sampler: of one example; SURE runs it a second time.
    """
    match criterion:
        case "held_out":
            return _held_out
        case "discrepancy":
            return _discrepancy
        case "sure":
            return _sure(sampler)
        case _:
            return _psnr


def is_broken(
    criterion: str,
    image: Array,
    scores: metrics.Scores,
    data_residual: Array,
    merit: Array,
) -> Array:
    """Return whether an image is worse than none, so that it must have diverged.

    It may be finite where x0_hat is clipped. With a reference: further from it than a
    blank image. Without: further than that from the measurements that it was given; of
    a mean square above that of a white image; or further from those held out than an
    unrelated image of their energy (a good sample of what cannot be told from the rest
    is beyond a blank one there).

    Args:
      criterion: one of `CRITERIA`.
      image: [h, w] or [h, w, 2] in operator units, of magnitudes in [0, 1].
      scores: NMSE is NaN without a reference.
      data_residual: of the measurements that the sampler saw, a blank image's is 1.
      merit: of `make`.
    """
    if criterion == REFERENCE:
        return scores.nmse > 1
    n_pixels = image.shape[0] * image.shape[1]
    broken = (data_residual > 1) | (jnp.square(image).sum() > n_pixels)
    return broken | (merit < UNRELATED) if criterion == "held_out" else broken


def _psnr(key, params, problem, held, reference, guidance, image) -> Array:
    del key, params, problem, held, guidance
    return metrics.psnr(reference, image)


def _held_out(key, params, problem, held, reference, guidance, image) -> Array:
    """Return -‖y - A x‖ / ‖y‖ of measurements that the sampler has not seen."""
    del key, params, problem, reference, guidance
    return -reconstruction.data_residual(held, image)


def _discrepancy(key, params, problem, held, reference, guidance, image) -> Array:
    """Return -|‖y - A x‖² / (m σ_y²) - 1|: the misfit is to be of the noise's size.

    After Morozov, 1966; m real numbers are measured.
    """
    del key, params, held, reference, guidance
    return -jnp.abs(_misfit(problem, image) / _expected(problem) - 1)


def _sure(sampler: Sampler) -> MeritFn:
    """Return minus an estimate of the predictive risk ‖A x - A x*‖² / (m σ_y²).

    Stein, 1981, with the divergence probed in one random direction b (Ramani et al.,
    2008, https://doi.org/10.1109/TIP.2008.2001404):
    ‖y - A x(y)‖² - m σ_y² + 2 σ_y² bᵀ(A x(y + ε b) - A x(y)) / ε. Both samples have the
    same key, so that x is one function of y; where the second diverged it is none, and
    the merit the least.
    """

    def merit(key, params, problem, held, reference, guidance, image) -> Array:
        del held, reference
        operator, y = problem.operator, problem.measurement
        probe = operator.sampled(
            linalg.unit_noise(jax.random.fold_in(key, PROBE_STREAM), y)
        )
        size = PROBE * jnp.asarray(problem.noise_std)
        moved, _ = sampler(
            key,
            params,
            problem._replace(measurement=y + size.astype(y.dtype) * probe),
            guidance,
        )
        change = operator.forward(moved) - operator.forward(image)
        divergence = jnp.real(jnp.vdot(probe, change)) / size
        noise = problem.noise_std**2
        error = _misfit(problem, image) + 2 * noise * divergence
        merit = 1 - error / _expected(problem)
        return jnp.where(jnp.isfinite(moved).all(), merit, -jnp.inf)

    return merit


def _misfit(problem: Problem, image: Array) -> Array:
    residual = problem.measurement - problem.operator.forward(image)
    return linalg.norm(residual) ** 2


def _expected(problem: Problem) -> Array:
    """Return m σ_y², m the real numbers measured."""
    y = problem.measurement
    sampled = problem.operator.sampled(jnp.ones_like(y))
    n_parts = 2 if jnp.iscomplexobj(y) else 1
    return n_parts * jnp.real(sampled).sum() * problem.noise_std**2
