"""Inner and discrepancy gradients against finite differences and closed forms."""

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic
from mgdm_jax.guidance import discrepancy, inner, proximal
from mgdm_jax.operators import linalg
from mgdm_jax.samplers import loop

LAM = jnp.float32(0.2)
ZETA = jnp.float32(0.3)


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
    estimate = loop.linearise(analytic.mixture_denoiser, prior, x_t, row, 1.0)
    return estimate, problem, jnp.asarray(rng.normal(size=shape), jnp.float32)


def slope(fn, x, direction, step=1e-2):
    """Central difference of fn at x along direction (float32: coarse, order h²)."""
    ahead, behind = fn(x + step * direction), fn(x - step * direction)
    return float((ahead - behind) / (2 * step))


def check(fn, gradient, x, direction, rtol=5e-3):
    want = slope(jax.jit(fn), x, direction)
    got = float(linalg.inner(gradient, direction))
    assert abs(got - want) < rtol * (abs(want) + 0.05 * float(linalg.norm(gradient)))


@pytest.mark.parametrize("residual", ["squared", "norm"])
def test_inner_gradient(setting, residual):
    estimate, problem, direction = setting

    def misfit(x_t):
        r = problem.measurement - problem.operator.forward(estimate.x0_hat_fn(x_t))
        squared = linalg.inner(r, r)
        return squared if residual == "squared" else jnp.sqrt(squared)

    gradient = inner.gradient(estimate, problem, residual)
    check(misfit, gradient, estimate.x_t, direction)


def test_norm_gradient_at_zero_residual_is_zero(setting):
    estimate, problem, _ = setting
    fitting = problem._replace(measurement=problem.operator.forward(estimate.x0_hat))
    gradient = inner.gradient(estimate, fitting, "norm")
    np.testing.assert_array_equal(gradient, jnp.zeros_like(gradient))


def test_eq13_divides_zeta_by_the_signal_level(setting):
    estimate, problem, _ = setting
    plain = inner.refine(estimate, problem, ZETA)
    scaled = inner.refine(
        estimate, problem, ZETA * jnp.sqrt(estimate.alpha_bar), scaling="eq13"
    )
    np.testing.assert_allclose(plain, scaled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["squared", "norm"])
def test_discrepancy_with_the_inner_gradient_held(setting, norm):
    estimate, problem, direction = setting
    x0_tilde = inner.refine(estimate, problem, ZETA)
    x0_bar = proximal.spectral(problem, x0_tilde, LAM)
    held = x0_tilde - estimate.x0_hat

    def change(x_t):
        refined = estimate.x0_hat_fn(x_t) + held
        d = proximal.spectral(problem, refined, LAM) - refined
        squared = linalg.inner(d, d)
        return squared if norm == "squared" else jnp.sqrt(squared)

    gradient = discrepancy.gradient(estimate, problem, x0_tilde, x0_bar, LAM, norm=norm)
    check(change, gradient, estimate.x_t, direction)


@pytest.mark.parametrize(
    "solve", [proximal.spectral, proximal.conjugate_gradient(200, 1e-7)]
)
def test_discrepancy_through_the_inner_gradient(setting, solve):
    estimate, problem, direction = setting

    def change(x_t):
        x0_hat, pullback = jax.vjp(estimate.x0_hat_fn, x_t)
        cotangent = inner.residual_cotangent(problem, x0_hat, "squared")
        refined = x0_hat - ZETA * pullback(cotangent)[0]
        d = proximal.spectral(problem, refined, LAM) - refined
        return linalg.inner(d, d)

    gradient = discrepancy.gradient_through_inner(
        estimate, problem, ZETA, LAM, proximal_fn=solve
    )
    check(change, gradient, estimate.x_t, direction, rtol=1e-2)


def test_both_modes_agree_without_an_inner_step(setting):
    estimate, problem, _ = setting
    x0_bar = proximal.spectral(problem, estimate.x0_hat, LAM)
    held = discrepancy.gradient(estimate, problem, estimate.x0_hat, x0_bar, LAM)
    through = discrepancy.gradient_through_inner(estimate, problem, jnp.float32(0), LAM)
    np.testing.assert_allclose(held, through, atol=2e-4)


def test_change_gradient_is_the_spectral_filter_of_the_docstring(setting):
    """∇‖prox(x) - x‖² = -2 Aᴴ [s²/(s²+λ)²] r."""
    estimate, problem, _ = setting
    x = estimate.x0_hat
    x0_bar = proximal.spectral(problem, x, LAM)
    got = proximal.change_gradient(proximal.spectral, problem, x, x0_bar, LAM)
    r = problem.measurement - problem.operator.forward(x)
    want = -2.0 * problem.operator.spectral_filter(lambda s: s / (s + LAM) ** 2, r)
    np.testing.assert_allclose(got, want, atol=2e-4)
    by_autodiff = proximal.change_gradient_by_autodiff(
        proximal.spectral, problem, x, x0_bar, LAM
    )
    np.testing.assert_allclose(got, by_autodiff, atol=2e-4)


def test_orthonormal_rows_make_it_a_second_dps_gradient(key):
    """Complex single coil: ∇D = -2 Aᴴ r / (1+λ)²."""
    _, problem, _ = cases.gaussian_case("complex")
    x = jax.random.normal(key, problem.operator.image_shape)
    x0_bar = proximal.spectral(problem, x, LAM)
    got = proximal.change_gradient(proximal.spectral, problem, x, x0_bar, LAM)
    r = problem.measurement - problem.operator.forward(x)
    want = -2.0 * problem.operator.adjoint(r) / (1.0 + LAM) ** 2
    np.testing.assert_allclose(got, want, atol=1e-5)
