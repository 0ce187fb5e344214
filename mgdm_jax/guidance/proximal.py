"""Outer level: the proximal step of line 9 (eq. 10).

x0_bar = argmin_x ½‖A x - y‖² + λ/2 ‖x - x0_tilde‖². Closed form for every operator
with a spectrum (`spectral`), by conjugate gradients elsewhere (`conjugate_gradient`,
`harmonic`); `exact` picks. For CT also the sinogram forms of FBP, which are no
minimisers (`fbp_residual`, `fbp_merge`).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from mgdm_jax.operators import harmonics, linalg, radon, spectrum
from mgdm_jax.types import Array, Estimate, Problem

ProximalFn = Callable[[Problem, Array, Array], Array]
"""(problem, x0_tilde, lam) -> x0_bar."""

LEAST_WEIGHT = 1e-5
"""Smallest λ of `harmonic`, in units of ‖A‖²."""


def exact(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
    """Return the minimiser: `spectral` where the operator's spectrum is known, else CG.

    CG, preconditioned where CT's harmonics are known, stops at a relative residual of
    1e-5, or after 100 iterations; `gap` tells. At λ = 0 it ends before the weakest
    directions are solved: DDS rather than A†.
    """
    match problem.operator:
        case operator if getattr(operator, "has_spectrum", False):
            solve = spectral
        case radon.ParallelBeam(harmonics=spectrum.Eigen()):
            solve = harmonic()
        case _:
            solve = conjugate_gradient()
    return solve(problem, x0_tilde, lam)


def noise_weight(problem: Problem, estimate: Estimate) -> Array:
    """Return σ_y²/r_t², the weight λ that measurement noise asks for.

    With x0 | x_t ~ N(x0_tilde, r_t² I) the proximal point at this weight is the mean of
    x0 given y as well. r_t² = (1-ᾱ_t) · noise_scale² is ΠGDM's (Song et al.,
    "Pseudoinverse-Guided Diffusion Models for Inverse Problems", 2023), exact for a
    white prior of unit variance in network units. The weight grows as t falls: late
    steps trust the prior.
    """
    spread = estimate.noise_scale**2 * (1.0 - estimate.alpha_bar)
    return problem.noise_std**2 / spread


def spectral(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
    """Return the exact minimiser x + Aᴴ (AAᴴ + λ)⁻¹ (y - A x).

    For Fourier sampling this is appendix A.3's F⁻¹((M y + λ F x) / (M + λ)), made
    exact for real images; at λ = 0 it is DDNM's x + A†(y - A x).
    """
    misfit = problem.measurement - problem.operator.forward(x0_tilde)
    gain = spectrum.proximal_gain(lam)
    return x0_tilde + problem.operator.spectral_filter(gain, misfit)


def conjugate_gradient(n_iter: int = 100, tol: float = 1e-5) -> ProximalFn:
    """Return x0_tilde + d with (AᴴA + λ) d = Aᴴ(y - A x0_tilde), d by CG from zero.

    With λ = 0 and few iterations it is noiseless DDS. Differentiable: the derivative
    is another solve.

    Args:
      n_iter: most iterations.
      tol: residual to stop at, relative to ‖Aᴴ(y - A x0_tilde)‖.
    """

    def solve(matvec: linalg.MatVec, right: Array) -> Array:
        start = jnp.zeros_like(right)
        return linalg.conjugate_gradient(matvec, right, start, n_iter, tol).x

    def proximal(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
        operator = problem.operator
        misfit = problem.measurement - operator.forward(x0_tilde)
        matvec = linalg.normal_operator(operator, lam)
        right = operator.adjoint(misfit)
        return x0_tilde + jax.lax.custom_linear_solve(
            matvec, right, solve, symmetric=True
        )

    return proximal


def harmonic(n_iter: int = 100, tol: float = 1e-5) -> ProximalFn:
    """Return x0_tilde + Aᵀ z with (AAᵀ + λ) z = y - A x0_tilde, z by CG from zero.

    Preconditioned by circular harmonics (`harmonics.solve`): a third or less
    of the products with AAᵀ. λ counts as `LEAST_WEIGHT` at least: z holds 1/λ times
    what of y no image has, and its rounding. Differentiable, as `conjugate_gradient`.

    Args:
      n_iter: most iterations.
      tol: residual to stop at, relative to ‖y - A x0_tilde‖.
    """

    def proximal(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
        operator = problem.operator
        weight = jnp.maximum(lam, LEAST_WEIGHT)

        def matvec(sinogram: Array) -> Array:
            return operator.forward(operator.adjoint(sinogram)) + weight * sinogram

        def precondition(sinogram: Array) -> Array:
            return harmonics.solve(operator.harmonics, weight, sinogram)

        def solve(matvec: linalg.MatVec, right: Array) -> Array:
            return linalg.conjugate_gradient(
                matvec, right, jnp.zeros_like(right), n_iter, tol, precondition
            ).x

        misfit = problem.measurement - operator.forward(x0_tilde)
        dual = jax.lax.custom_linear_solve(matvec, misfit, solve, symmetric=True)
        return x0_tilde + operator.adjoint(dual)

    return proximal


def fbp_residual(problem: Problem, x0_tilde: Array, lam: Array) -> Array:
    """Return x + FBP(y - A x) / (1 + λ): FBP in the place of A†.

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
    change = operator.sampled(problem.measurement / operator.gain - sinogram)
    return radon.fbp(operator.full, sinogram + change / (1.0 + lam))


def gap(problem: Problem, x0_tilde: Array, x0_bar: Array, lam: Array) -> Array:
    """Return ‖Aᴴ(A x0_bar - y) + λ(x0_bar - x0_tilde)‖ / ‖Aᴴy‖, 0 when exact.

    But for rounding, which a λ above 1 magnifies: 6e-4 at 1e4.
    """
    operator = problem.operator
    misfit = operator.forward(x0_bar) - problem.measurement
    stationarity = operator.adjoint(misfit) + lam * (x0_bar - x0_tilde)
    scale = linalg.norm(operator.adjoint(problem.measurement))
    return linalg.norm(stationarity) / jnp.where(scale > 0, scale, 1.0)


def change_gradient(
    proximal: ProximalFn, problem: Problem, x0_tilde: Array, x0_bar: Array, lam: Array
) -> Array:
    """Return ∇_x ‖prox(x) - x‖² at x0_tilde.

    prox(x) = L x + b with L = λ(AᴴA + λ)⁻¹ symmetric, so the gradient is
    2 (L - I)(x0_bar - x0_tilde), and L d is the proximal point of d for y = 0. So for
    conjugate gradients run to convergence; stopped after a few steps they are not
    linear in x, and this is near their gradient. FBP's forms are not symmetric: they
    are differentiated.
    """
    if proximal in (fbp_residual, fbp_merge):
        _, pullback = jax.vjp(lambda x: proximal(problem, x, lam) - x, x0_tilde)
        return pullback(2.0 * (x0_bar - x0_tilde))[0]
    change = x0_bar - x0_tilde
    homogeneous = problem._replace(measurement=jnp.zeros_like(problem.measurement))
    return 2.0 * (proximal(homogeneous, change, lam) - change)
