"""Outer level: the proximal step of line 9 (eq. 10).

x0_bar = argmin_x ½‖A x - y‖² + λ/2 ‖x - x0_tilde‖². Closed form for every operator
with a spectrum (`spectral`), by conjugate gradients elsewhere (`conjugate_gradient`),
and, for CT, in the sinogram forms of FBP, which are no minimisers (`fbp_residual`,
`fbp_merge`).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from mgdm_jax.operators import linalg, radon, spectrum
from mgdm_jax.types import Array, Problem

ProximalFn = Callable[[Problem, Array, Array], Array]
"""(problem, x0_tilde, lam) -> x0_bar."""


def spectral(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
    """Return the exact minimiser x + Aᴴ (AAᴴ + λ)⁻¹ (y - A x).

    For Fourier sampling this is appendix A.3's F⁻¹((M y + λ F x) / (M + λ)), made
    exact for real images; at λ = 0 it is DDNM's x + A†(y - A x).
    """
    misfit = problem.measurement - problem.operator.forward(x0_tilde)
    gain = spectrum.proximal_gain(lam)
    return x0_tilde + problem.operator.spectral_filter(gain, misfit)


def conjugate_gradient(n_iter: int = 30, tol: float = 1e-6) -> ProximalFn:
    """Return the proximal step by CG on (AᴴA + λ) x = Aᴴy + λ x0_tilde.

    Starts at x0_tilde. With λ = 0 and few iterations it is noiseless DDS.

    Args:
      n_iter: most iterations.
      tol: relative residual to stop at.
    """

    def proximal(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
        operator = problem.operator
        right = operator.adjoint(problem.measurement) + lam * x0_tilde
        matvec = linalg.normal_operator(operator, lam)
        return linalg.conjugate_gradient(matvec, right, x0_tilde, n_iter, tol).x

    return proximal


def fbp_residual(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
    """Return x + FBP(y - A x) / (1 + λ): FBP in the place of A†, as the paper's DDNM.

    FBP is no pseudo-inverse, so measured values are not met; see `data_residual`.
    """
    misfit = problem.measurement - problem.operator.forward(x0_tilde)
    return x0_tilde + radon.fbp(problem.operator, misfit) / (1.0 + lam)


def fbp_merge(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
    """Return FBP(s + m (y - s) / (1 + λ)), s = R x: measured views merged, then FBP.

    Needs a `SparseViews` operator. FBP ∘ R is not the identity, so every step blurs,
    also where data and image agree; `fbp_residual` does not.
    """
    operator = problem.operator
    sinogram = operator.full.forward(x0_tilde)
    change = operator.measured[:, None] * (problem.measurement - sinogram)
    return radon.fbp(operator.full, sinogram + change / (1.0 + lam))


def gap(problem: Problem, x0_tilde: Array, x0_bar: Array, lam: Array) -> Array:
    """Return ‖Aᴴ(A x0_bar - y) + λ(x0_bar - x0_tilde)‖ / ‖Aᴴy‖, 0 when exact."""
    operator = problem.operator
    misfit = operator.forward(x0_bar) - problem.measurement
    stationarity = operator.adjoint(misfit) + lam * (x0_bar - x0_tilde)
    scale = linalg.norm(operator.adjoint(problem.measurement))
    return linalg.norm(stationarity) / jnp.where(scale > 0, scale, 1.0)


def change_gradient(
    proximal: ProximalFn, problem: Problem, x0_tilde: Array, x0_bar: Array, lam: Array
) -> Array:
    """Return ∇_x ‖prox(x) - x‖² at x0_tilde, for a symmetric proximal map.

    prox(x) = L x + b with L = λ(AᴴA + λ)⁻¹ symmetric, so the gradient is
    2 (L - I)(x0_bar - x0_tilde), and L d is the proximal point of d for y = 0.
    """
    change = x0_bar - x0_tilde
    homogeneous = problem._replace(measurement=jnp.zeros_like(problem.measurement))
    return 2.0 * (proximal(homogeneous, change, lam) - change)


def change_gradient_by_autodiff(
    proximal: ProximalFn, problem: Problem, x0_tilde: Array, x0_bar: Array, lam: Array
) -> Array:
    """Return the same for a map that is not symmetric (FBP)."""
    _, pullback = jax.vjp(lambda x: proximal(problem, x, lam) - x, x0_tilde)
    return pullback(2.0 * (x0_bar - x0_tilde))[0]
