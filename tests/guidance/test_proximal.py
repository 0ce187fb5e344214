"""The proximal step against brute force and its other forms."""

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest
from helpers import check_adjoint, dense_matrix, dense_prox

from mgdm_jax.guidance import proximal
from mgdm_jax.operators import radon, sparse_views
from mgdm_jax.types import Problem


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
    assert proximal.gap(problem, x, got, jnp.float32(lam)) < 1e-5


def test_gap_sees_a_wrong_point(key):
    _, problem, _ = cases.gaussian_case("real")
    x = jax.random.normal(key, problem.operator.image_shape)
    assert proximal.gap(problem, x, x, jnp.float32(0.1)) > 0.1


def test_fbp_merge_keeps_agreeing_views_and_takes_over_the_others(key):
    operator = sparse_views.sparse_views(3, 16, n_full=12)
    image = jnp.where(
        radon.inscribed_circle(16), jax.random.uniform(key, (16, 16)), 0.0
    )
    problem = Problem(operator, operator.forward(image))
    agreeing = proximal.fbp_merge(problem, image, jnp.float32(0.1))
    filtered = radon.fbp(operator.full, operator.full.forward(image))
    np.testing.assert_allclose(agreeing, filtered, atol=1e-5)
    zero = jnp.zeros((16, 16))
    from_zero = proximal.fbp_merge(problem, zero, jnp.float32(1.0))
    want = 0.5 * radon.fbp(operator.full, problem.measurement)
    np.testing.assert_allclose(from_zero, want, atol=1e-5)


def test_sparse_views_are_a_matched_pair_with_the_few_view_projector(key):
    operator = sparse_views.sparse_views(3, 16, n_full=12)
    check_adjoint(operator, key)
    few = radon.parallel_beam(np.arange(3) * 60.0, 16)
    image = jax.random.normal(key, (16, 16))
    views = operator.forward(image)[::4] * operator.full.scale
    np.testing.assert_allclose(views, few.forward(image) * few.scale, atol=1e-3)


def test_fbp_form_moves_towards_the_data(key):
    del key
    _, problem, _ = cases.gaussian_case("ct")
    zero = jnp.zeros(problem.operator.image_shape)
    got = proximal.fbp_residual(problem, zero, jnp.float32(0))
    before = jnp.linalg.norm(problem.measurement)
    after = jnp.linalg.norm(problem.measurement - problem.operator.forward(got))
    assert after < before
