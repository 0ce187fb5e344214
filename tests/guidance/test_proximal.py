"""The proximal step against brute force and its other forms."""

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest
from helpers import dense_matrix, dense_prox

from mgdm_jax.guidance import proximal


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


def test_fbp_form_moves_towards_the_data(key):
    del key
    _, problem, _ = cases.gaussian_case("ct")
    zero = jnp.zeros(problem.operator.image_shape)
    got = proximal.fbp_residual(problem, zero, jnp.float32(0))
    before = jnp.linalg.norm(problem.measurement)
    after = jnp.linalg.norm(problem.measurement - problem.operator.forward(got))
    assert after < before
