"""Inner level: the DPS-style gradient of line 8 (eq. 13).

x0_tilde = x0_hat - ζ ∇_{x_t} ‖y - A x0_hat(x_t)‖², one product with Jᵀ. Chung et al.,
"Diffusion Posterior Sampling", 2022, https://arxiv.org/abs/2209.14687, take the norm
un-squared in their code; both forms are offered.
"""

import jax.numpy as jnp

from mgdm_jax.operators import linalg
from mgdm_jax.types import Array, Estimate, Problem


def safe_reciprocal(x: Array) -> Array:
    """Return 1/x, and 0 at x = 0."""
    return jnp.where(x > 0, 1.0 / jnp.where(x > 0, x, 1.0), 0.0)


def residual_cotangent(problem: Problem, x0_hat: Array, residual: str) -> Array:
    """Return ∇_{x0} of ‖y - A x0‖² ("squared") or ‖y - A x0‖ ("norm").

    Raises:
      ValueError: for another residual.
    """
    misfit = problem.measurement - problem.operator.forward(x0_hat)
    back = problem.operator.adjoint(misfit)
    match residual:
        case "squared":
            return -2.0 * back
        case "norm":
            return -back * safe_reciprocal(linalg.norm(misfit))
        case _:
            raise ValueError(f"residual must be squared or norm, got {residual!r}.")


def gradient(estimate: Estimate, problem: Problem, residual: str = "squared") -> Array:
    """Return ∇_{x_t} of the data misfit of x0_hat(x_t), in operator units."""
    cotangent = residual_cotangent(problem, estimate.x0_hat, residual)
    return estimate.pullback(cotangent)


def step_size(zeta: Array, alpha_bar: Array, scaling: str) -> Array:
    """Return ζ (line 8, "algorithm2") or ζ/√ᾱ_t (eq. 13, "eq13").

    Raises:
      ValueError: for another scaling.
    """
    match scaling:
        case "algorithm2":
            return zeta
        case "eq13":
            return zeta / jnp.sqrt(alpha_bar)
        case _:
            raise ValueError(f"zeta_scaling must be algorithm2 or eq13, got {scaling}.")


def refine(
    estimate: Estimate,
    problem: Problem,
    zeta: Array,
    *,
    residual: str = "squared",
    scaling: str = "algorithm2",
) -> Array:
    """Return x0_tilde, line 8 of Algorithm 2.

    Args:
      estimate: linearisation at x_t.
      problem: operator and measurement.
      zeta: ζ ≥ 0.
      residual: "squared" or "norm".
      scaling: "algorithm2" or "eq13".
    """
    step = step_size(zeta, estimate.alpha_bar, scaling)
    return estimate.x0_hat - step * gradient(estimate, problem, residual)
