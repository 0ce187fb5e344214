"""Inner and discrepancy gradients against finite differences and closed forms."""

import functools
import itertools

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest
from helpers import adjoint, dense_matrix, flat_real, forward

from mgdm_jax import analytic
from mgdm_jax.guidance import discrepancy, inner, proximal
from mgdm_jax.operators import linalg, sparse_views
from mgdm_jax.samplers import loop
from mgdm_jax.types import Problem

LAM = jnp.float32(0.2)
ZETA = jnp.float32(0.3)
DENOISE = jax.jit(analytic.mixture_denoiser)


@pytest.fixture(params=list(cases.OPERATORS))
def setting(request, key):
    """A Gaussian-mixture prior: its denoiser is not linear, J depends on x_t."""
    _, problem, _ = cases.gaussian_case(request.param)
    shape = problem.operator.image_shape
    rng = np.random.default_rng(1)
    prior = analytic.Mixture(
        jnp.log(jnp.asarray([0.4, 0.6])),
        jnp.asarray(rng.normal(size=(2, *shape)), jnp.float32),
        jnp.asarray([0.5, 0.8]),
    )
    row = jax.tree.map(lambda v: v[5], cases.grid(8))
    x_t = jnp.asarray(rng.normal(size=shape), jnp.float32)
    estimate = loop.linearise(DENOISE, prior, x_t, row, 1.0)
    return estimate, problem, jnp.asarray(rng.normal(size=shape), jnp.float32)


def slope(fn, x, direction, step=1e-2):
    """Central difference of fn at x along direction (float32: coarse, order h²)."""
    ahead, behind = fn(x + step * direction), fn(x - step * direction)
    return float((ahead - behind) / (2 * step))


def check(fn, gradient, x, direction, rtol=5e-3):
    want = slope(jax.jit(fn), x, direction)
    got = float(linalg.inner(gradient, direction))
    assert abs(got - want) < rtol * (abs(want) + 0.05 * float(linalg.norm(gradient)))


@jax.jit
def spectral_change(problem, x, lam):
    """Return ∇‖prox(x) - x‖² of the exact proximal step, and the misfit of x."""
    x0_bar = proximal.spectral(problem, x, lam)
    gradient = proximal.change_gradient(proximal.spectral, problem, x, x0_bar, lam)
    return gradient, problem.measurement - problem.operator.forward(x)


@pytest.mark.parametrize("residual", ["squared", "norm"])
def test_inner_gradient(setting, residual):
    estimate, problem, direction = setting

    def misfit(x_t):
        r = problem.measurement - problem.operator.forward(estimate.x0_hat_fn(x_t))
        squared = linalg.inner(r, r)
        return squared if residual == "squared" else jnp.sqrt(squared)

    gradient = jax.jit(lambda: inner.gradient(estimate, problem, residual))()
    check(misfit, gradient, estimate.x_t, direction)


def test_norm_gradient_at_zero_residual_is_zero(setting):
    estimate, problem, _ = setting
    fitting = problem._replace(measurement=problem.operator.forward(estimate.x0_hat))
    gradient = inner.gradient(estimate, fitting, "norm")
    np.testing.assert_array_equal(gradient, jnp.zeros_like(gradient))


def test_eq13_divides_zeta_by_the_signal_level(setting):
    estimate, problem, _ = setting
    step = ZETA * jnp.sqrt(estimate.alpha_bar)
    refine = functools.partial(inner.refine, estimate, problem)
    plain = jax.jit(lambda: refine(ZETA))()
    scaled = jax.jit(lambda: refine(step, scaling="eq13"))()
    np.testing.assert_allclose(plain, scaled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["squared", "norm"])
def test_discrepancy_with_the_inner_gradient_held(setting, norm):
    estimate, problem, direction = setting
    x0_tilde = jax.jit(lambda: inner.refine(estimate, problem, ZETA))()

    def change(x_t):
        refined = estimate.x0_hat_fn(x_t) + x0_tilde - estimate.x0_hat
        d = proximal.spectral(problem, refined, LAM) - refined
        squared = linalg.inner(d, d)
        return squared if norm == "squared" else jnp.sqrt(squared)

    @jax.jit
    def gradient():
        x0_bar = proximal.spectral(problem, x0_tilde, LAM)
        return discrepancy.gradient(estimate, problem, x0_tilde, x0_bar, LAM, norm=norm)

    check(change, gradient(), estimate.x_t, direction)


SOLVERS = {"spectral": proximal.spectral, "cg": proximal.conjugate_gradient(200, 1e-7)}


@pytest.mark.parametrize(
    ("solver", "residual", "norm", "scaling"),
    [
        ("spectral", "squared", "squared", "algorithm2"),
        ("cg", "squared", "squared", "algorithm2"),
        ("spectral", "norm", "squared", "algorithm2"),
        ("spectral", "squared", "norm", "algorithm2"),
        ("spectral", "squared", "squared", "eq13"),
    ],
)
def test_discrepancy_through_the_inner_gradient(
    setting, solver, residual, norm, scaling
):
    estimate, problem, direction = setting
    step = ZETA / jnp.sqrt(estimate.alpha_bar) if scaling == "eq13" else ZETA

    def change(x_t):
        x0_hat, pullback = jax.vjp(estimate.x0_hat_fn, x_t)
        cotangent = inner.residual_cotangent(problem, x0_hat, residual)
        refined = x0_hat - step * pullback(cotangent)[0]
        d = proximal.spectral(problem, refined, LAM) - refined
        squared = linalg.inner(d, d)
        return squared if norm == "squared" else jnp.sqrt(squared)

    through_inner = functools.partial(
        discrepancy.gradient_through_inner,
        proximal_fn=SOLVERS[solver],
        residual=residual,
        norm=norm,
        scaling=scaling,
    )
    gradient = jax.jit(lambda: through_inner(estimate, problem, ZETA, LAM))()
    check(change, gradient, estimate.x_t, direction, rtol=1e-2)


def test_second_order_at_zero_residual_is_finite(setting):
    estimate, problem, _ = setting
    fitting = problem._replace(measurement=forward(problem.operator, estimate.x0_hat))
    through_inner = functools.partial(
        discrepancy.gradient_through_inner, estimate, fitting, ZETA, LAM
    )
    norms = list(itertools.product(("squared", "norm"), repeat=2))
    gradients = jax.jit(lambda: [through_inner(residual=r, norm=n) for r, n in norms])()
    assert np.isfinite(gradients).all()


def test_unknown_norms_are_refused(setting):
    estimate, problem, x = setting
    with pytest.raises(ValueError, match="norm must be"):
        discrepancy.gradient(estimate, problem, x, x, LAM, norm="other")
    with pytest.raises(ValueError, match="norm must be"):
        discrepancy.gradient_through_inner(estimate, problem, ZETA, LAM, norm="other")


def test_both_modes_agree_without_an_inner_step(setting):
    estimate, problem, _ = setting
    x0_hat, zero = estimate.x0_hat, jnp.float32(0)

    @jax.jit
    def both():
        x0_bar = proximal.spectral(problem, x0_hat, LAM)
        held = discrepancy.gradient(estimate, problem, x0_hat, x0_bar, LAM)
        return held, discrepancy.gradient_through_inner(estimate, problem, zero, LAM)

    held, through = both()
    np.testing.assert_allclose(held, through, atol=2e-4)


def test_change_gradient_is_the_spectral_filter_of_the_docstring(setting):
    """∇‖prox(x) - x‖² = -2 Aᴴ [s²/(s²+λ)²] r."""
    estimate, problem, _ = setting
    x, operator = estimate.x0_hat, problem.operator
    got, r = spectral_change(problem, x, LAM)
    want = jax.jit(
        lambda: -2.0 * operator.spectral_filter(lambda s: s / (s + LAM) ** 2, r)
    )()
    np.testing.assert_allclose(got, want, atol=2e-4)


def test_at_lam_zero_the_discrepancy_is_pseudo_inverse_guidance(setting):
    """∇D = -2 A†r, so that Jᵀ∇D is ΠGDM's noiseless direction."""
    _, problem, x = setting
    got, r = spectral_change(problem, x, jnp.float32(0))
    matrix = dense_matrix(problem.operator)
    want = -2.0 * np.linalg.pinv(matrix, rcond=1e-3) @ flat_real(r)
    np.testing.assert_allclose(np.ravel(got), want, atol=2e-3)


@pytest.mark.parametrize("form", [proximal.fbp_residual, proximal.fbp_merge])
def test_discrepancy_of_the_forms_of_fbp(form, key):
    """FBP is not symmetric: the gradient is that of the map itself."""
    operator = sparse_views.sparse_views(3, 8, n_full=6)
    operator = operator if form is proximal.fbp_merge else operator.full
    x, truth, direction = jax.random.normal(key, (3, 8, 8))
    problem = Problem(operator, forward(operator, truth))

    def change(x):
        d = form(problem, x, LAM) - x
        return linalg.inner(d, d)

    x0_bar = jax.jit(form)(problem, x, LAM)
    gradient = jax.jit(
        lambda: proximal.change_gradient(form, problem, x, x0_bar, LAM)
    )()
    check(change, gradient, x, direction)


def test_orthonormal_rows_make_it_a_second_dps_gradient(key):
    """Complex single coil: ∇D = -2 Aᴴ r / (1+λ)²."""
    _, problem, _ = cases.gaussian_case("complex")
    x = jax.random.normal(key, problem.operator.image_shape)
    got, r = spectral_change(problem, x, LAM)
    want = -2.0 * adjoint(problem.operator, r) / (1.0 + LAM) ** 2
    np.testing.assert_allclose(got, want, atol=1e-5)
