"""The discrepancy gradient of line 11 (eq. 14).

x_s ← x_s - ρ ∇_{x_t} ‖x0_bar - x0_tilde‖². With the exact proximal step,
x0_bar - x0_tilde = Aᴴ(AAᴴ + λ)⁻¹ r for r = y - A x0_tilde, hence the gradient is
-2 Jᵀ Aᴴ [s²/(s² + λ)²] r: a second DPS gradient at the refined estimate when A has
orthonormal rows, ΠGDM's noiseless guidance Jᵀ A† r as λ → 0. The paper leaves the step
unexplained (A.7).
"""

from collections.abc import Callable

import jax

from mgdm_jax.guidance import inner, proximal
from mgdm_jax.operators import linalg
from mgdm_jax.types import Array, Estimate, Problem


def gradient(
    estimate: Estimate,
    problem: Problem,
    x0_tilde: Array,
    x0_bar: Array,
    lam: Array,
    *,
    proximal_fn: proximal.ProximalFn = proximal.exact,
    norm: str = "squared",
) -> Array:
    """Return the gradient with the inner gradient held constant: one product with Jᵀ.

    Args:
      estimate: linearisation at x_t.
      problem: operator and measurement.
      x0_tilde: refined estimate, line 8.
      x0_bar: its proximal point, line 9.
      lam: λ of that point.
      proximal_fn: the proximal map used.
      norm: "squared", or "norm" for the gradient of the un-squared norm.

    Raises:
      ValueError: for another norm.
    """
    cotangent = proximal.change_gradient(proximal_fn, problem, x0_tilde, x0_bar, lam)
    match norm:
        case "squared":
            pass
        case "norm":
            length = linalg.norm(x0_bar - x0_tilde)
            cotangent = 0.5 * cotangent * inner.safe_reciprocal(length)
        case _:
            raise ValueError(f"norm must be squared or norm, got {norm!r}.")
    return estimate.pullback(cotangent)


def gradient_through_inner(
    estimate: Estimate,
    problem: Problem,
    zeta: Array,
    lam: Array,
    *,
    proximal_fn: proximal.ProximalFn = proximal.exact,
    residual: str = "squared",
    scaling: str = "algorithm2",
    norm: str = "squared",
) -> Array:
    """Return ∇_{x_t} ‖prox(x0_tilde(x_t)) - x0_tilde(x_t)‖², inner gradient included.

    Second order: it differentiates the inner gradient, at several times the cost.

    Args:
      estimate: linearisation at x_t.
      problem: operator and measurement.
      zeta: ζ of the inner step.
      lam: λ of the proximal step.
      proximal_fn: the proximal map used.
      residual: "squared" or "norm", of the inner gradient.
      scaling: "algorithm2" or "eq13", of ζ.
      norm: "squared", or "norm" for the gradient of the un-squared norm.

    Raises:
      ValueError: for another residual, scaling or norm.
    """
    length = _length(norm)
    step = inner.step_size(zeta, estimate.alpha_bar, scaling)

    def change(x_t: Array) -> Array:
        x0_hat, pullback = jax.vjp(estimate.x0_hat_fn, x_t)
        cotangent = inner.residual_cotangent(problem, x0_hat, residual)
        x0_tilde = x0_hat - step * pullback(cotangent)[0]
        return length(proximal_fn(problem, x0_tilde, lam) - x0_tilde)

    return jax.grad(change)(estimate.x_t)


def _length(norm: str) -> Callable[[Array], Array]:
    match norm:
        case "squared":
            return lambda change: linalg.inner(change, change)
        case "norm":
            return linalg.norm
        case _:
            raise ValueError(f"norm must be squared or norm, got {norm!r}.")
