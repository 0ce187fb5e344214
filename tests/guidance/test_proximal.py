"""The proximal step against brute force and its other forms."""

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import operator_cases
import pytest
from helpers import check_adjoint, dense_matrix, dense_prox, flat_real, forward

from mgdm_jax import analytic
from mgdm_jax.guidance import proximal
from mgdm_jax.operators import linalg, projection, radon, sparse_views
from mgdm_jax.samplers import loop, mgdm
from mgdm_jax.types import Problem

GAP = jax.jit(proximal.gap)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize("lam", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize(
    "solve", [proximal.spectral, proximal.conjugate_gradient(200, 1e-7)]
)
def test_against_a_dense_solve(operator_name, lam, solve, key):
    _, problem, _ = cases.gaussian_case(operator_name)
    x = jax.random.normal(key, problem.operator.image_shape)
    got = jax.jit(solve)(problem, x, jnp.float32(lam))
    want = dense_prox(dense_matrix(problem.operator), x, problem.measurement, lam)
    np.testing.assert_allclose(np.ravel(got), want, atol=1e-3 if lam < 0.01 else 1e-4)
    assert GAP(problem, x, got, jnp.float32(lam)) < 1e-5


@pytest.mark.parametrize("name", operator_cases.WITHOUT_SPECTRUM)
def test_exact_falls_back_on_conjugate_gradients(name, key):
    operator = operator_cases.WITHOUT_SPECTRUM[name]()
    assert not operator.has_spectrum
    x, truth = jax.random.normal(key, (2, *operator.image_shape))
    problem, lam = Problem(operator, forward(operator, truth)), jnp.float32(0.1)
    got = jax.jit(proximal.exact)(problem, x, lam)
    want = dense_prox(dense_matrix(operator), x, problem.measurement, lam)
    np.testing.assert_allclose(np.ravel(got), want, atol=1e-4)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_exact_takes_the_spectrum_where_there_is_one(operator_name, key):
    _, problem, _ = cases.gaussian_case(operator_name)
    x = jax.random.normal(key, problem.operator.image_shape)
    lam = jnp.float32(0.01)
    exact, spectral = (
        jax.jit(solve)(problem, x, lam) for solve in (proximal.exact, proximal.spectral)
    )
    np.testing.assert_array_equal(exact, spectral)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_noise_weight_gives_the_posterior_mean_of_a_white_prior(operator_name, key):
    """E[x0 | x_t, y] of x0 ~ N(0, s² I), s the noise scale, against a dense solve."""
    _, problem, _ = cases.gaussian_case(operator_name)
    scale, sigma = 0.5, 0.2
    problem = problem._replace(noise_std=jnp.float32(sigma))
    shape = problem.operator.image_shape
    n = int(np.prod(shape))
    white = analytic.Gaussian(jnp.zeros(shape), jnp.ones(n), jnp.eye(n))
    row = jax.tree.map(lambda v: v[5], cases.grid(8))
    x_t = jax.random.normal(key, shape)

    @jax.jit
    def posterior_mean():
        estimate = loop.linearise(cases.denoiser(scale), white, x_t, row, scale)
        weight = proximal.noise_weight(problem, estimate)
        return proximal.exact(problem, estimate.x0_hat, weight)

    got = posterior_mean()
    a, level = dense_matrix(problem.operator), float(row.alpha_bar)
    precision = a.T @ a / sigma**2 + np.eye(a.shape[1]) * (
        1 / scale**2 + level / (scale**2 * (1 - level))
    )
    right = a.T @ flat_real(problem.measurement) / sigma**2
    right = right + np.sqrt(level) / (scale**2 * (1 - level)) * np.ravel(x_t)
    want = np.linalg.solve(precision, right)
    np.testing.assert_allclose(np.ravel(got), want, atol=1e-4)


def test_without_noise_lam_stays_as_given(key):
    _, problem, _ = cases.gaussian_case("real")
    row = jax.tree.map(lambda v: v[5], cases.grid(8))
    x_t = jax.random.normal(key, problem.operator.image_shape)
    prior, _, _ = cases.gaussian_case("real")
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x_t, row, 1.0)
    assert proximal.noise_weight(problem, estimate) == 0
    quiet, noisy = (
        mgdm.make_step(mgdm.Options(lam_follows_noise=follows))(
            key, estimate, problem, cases.guidance()
        )[0]
        for follows in (False, True)
    )
    np.testing.assert_array_equal(quiet, noisy)


@pytest.mark.parametrize("name", ["real", "ct"])
def test_gap_sees_a_wrong_point(name, key):
    """It is ‖Aᴴ(A x - y)‖ / ‖Aᴴ y‖ of a point that has not moved."""
    _, problem, model = cases.gaussian_case(name)
    x = jax.random.normal(key, problem.operator.image_shape)
    a, misfit = model.matrix, model.matrix @ np.ravel(x) - model.y
    want = np.linalg.norm(a.T @ misfit) / np.linalg.norm(a.T @ model.y)
    got = GAP(problem, x, x, jnp.float32(0.1))
    assert got == pytest.approx(want, rel=1e-4) and got > 0.1


def test_fbp_merge_keeps_agreeing_views_and_takes_over_the_others(key):
    operator = sparse_views.sparse_views(3, 16, n_full=12)
    image = jnp.where(
        projection.inscribed_circle(16), jax.random.uniform(key, (16, 16)), 0.0
    )
    problem = Problem(operator, forward(operator, image))
    merge, fbp = jax.jit(proximal.fbp_merge), jax.jit(radon.fbp)
    agreeing = merge(problem, image, jnp.float32(0.1))
    filtered = fbp(operator.full, forward(operator.full, image))
    np.testing.assert_allclose(agreeing, filtered, atol=1e-5)
    zero = jnp.zeros((16, 16))
    from_zero = merge(problem, zero, jnp.float32(1.0))
    want = 0.5 * fbp(operator.full, problem.measurement / operator.gain)
    np.testing.assert_allclose(from_zero, want, atol=1e-5)


def test_sparse_views_are_a_matched_pair_with_the_few_view_projector(key):
    operator = sparse_views.sparse_views(3, 16, n_full=12)
    check_adjoint(operator, key)
    few = radon.parallel_beam(np.arange(3) * 60.0, 16)
    image = jax.random.normal(key, (16, 16))
    norm = jax.jit(linalg.operator_norm)(operator, key)
    np.testing.assert_allclose(norm, 1.0, atol=1e-3)
    views = forward(operator, image)[::4] * operator.full.scale / operator.gain
    np.testing.assert_allclose(views, forward(few, image) * few.scale, atol=1e-3)


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_fbp_residual_has_fbp_for_the_pseudo_inverse(lam, key):
    """x + F (y - A x) / (1 + λ), F the dense matrix of the baseline."""
    _, problem, model = cases.gaussian_case("ct")
    x = jax.random.normal(key, problem.operator.image_shape)
    got = jax.jit(proximal.fbp_residual)(problem, x, jnp.float32(lam))
    units = jnp.eye(len(model.y)).reshape(-1, *problem.measurement.shape)
    back = jax.jit(jax.vmap(problem.operator.baseline))(units)
    change = (model.y - model.matrix @ np.ravel(x)) @ back.reshape(len(units), -1)
    np.testing.assert_allclose(
        np.ravel(got), np.ravel(x) + change / (1 + lam), atol=1e-4
    )
    after = np.linalg.norm(model.y - model.matrix @ change)
    assert 1e-2 < after < np.linalg.norm(model.y)
