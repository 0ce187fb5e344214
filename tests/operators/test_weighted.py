"""Weighted operators: laws, the level of their noise, and least squares that weigh."""

import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
from helpers import check_adjoint, dense_matrix, flat_real

from mgdm_jax.guidance import proximal
from mgdm_jax.operators import linalg, radon, weighted
from mgdm_jax.types import Problem

SIZE = 8


@pytest.fixture(scope="module")
def plain():
    return radon.parallel_beam([0.0, 40.0, 90.0, 150.0], SIZE)


def deviations(n=3):
    return np.random.default_rng(1).uniform(0.05, 2, (n, 4, SIZE)).astype(np.float32)


def test_it_is_the_operator_times_its_weights(key):
    op = operator_cases.weighed()
    check_adjoint(op, key)
    want = flat_real(op.weight)[:, None] * dense_matrix(op.operator)
    np.testing.assert_allclose(dense_matrix(op), want, atol=1e-6)


def test_the_baseline_is_that_of_the_measurement_without_weights(key):
    op = operator_cases.weighed()
    y = jax.random.normal(key, op.weight.shape)
    want = op.operator.baseline(y)
    np.testing.assert_allclose(op.baseline(op.weight * y), want, atol=1e-5)


def test_noise_has_one_level_and_each_norm_is_one(plain):
    given = deviations()
    weights, levels = jax.jit(weighted.levelled)(plain, given)
    np.testing.assert_allclose(weights * given / levels[:, None, None], 1, rtol=1e-5)
    dense = dense_matrix(plain)
    norms = [np.linalg.norm(flat_real(w)[:, None] * dense, 2) for w in weights]
    np.testing.assert_allclose(norms, 1, atol=2e-3)


def test_where_noise_is_equal_nothing_is_weighed(plain):
    weights, levels = jax.jit(weighted.levelled)(plain, jnp.full((1, 4, SIZE), 0.3))
    np.testing.assert_allclose(weights, 1, rtol=2e-3)
    assert float(levels[0]) == pytest.approx(0.3, rel=2e-3)


def test_at_the_weight_of_the_noise_the_proximal_point_is_the_posterior_mean(plain):
    """E[x | y] of x ~ N(x0, r² I) and independent y_i ~ N((A x)_i, σ_i²), densely."""
    rng, spread = np.random.default_rng(2), 0.7
    deviation, x0 = deviations(1)[0], rng.normal(size=(SIZE, SIZE))
    y = rng.normal(size=deviation.shape)
    dense, variance = dense_matrix(plain), flat_real(deviation) ** 2
    precision = dense.T @ (dense / variance[:, None]) + np.eye(SIZE**2) / spread**2
    right = dense.T @ (flat_real(y) / variance) + flat_real(x0) / spread**2
    want = np.linalg.solve(precision, right)

    weights, (level,) = jax.jit(weighted.levelled)(plain, deviation[None])
    op = weighted.Weighted(plain, weights[0])
    problem = Problem(op, jnp.float32(weights[0] * y), level)
    solve = jax.jit(proximal.exact)
    got = solve(problem, jnp.float32(x0), level**2 / spread**2)
    np.testing.assert_allclose(flat_real(got), want, atol=1e-3)
    # One level for all rays is another answer.
    alike = Problem(plain, jnp.float32(y), level)
    lam = jnp.float32(np.mean(variance) / spread**2)
    assert np.abs(flat_real(solve(alike, jnp.float32(x0), lam)) - want).max() > 0.05


def test_its_images_share_all_but_their_weights(plain, key):
    """One axis of `vmap` is enough: a projector an image would fill the memory."""
    weights, _ = jax.jit(weighted.levelled)(plain, deviations())
    x = jax.random.normal(key, (3, SIZE, SIZE))
    many = weighted.Weighted(plain, weights)
    axes = weighted.Weighted(None, 0)
    got = jax.vmap(lambda op, x: op.forward(x), in_axes=(axes, 0))(many, x)
    want = [
        weighted.Weighted(plain, w).forward(i) for w, i in zip(weights, x, strict=True)
    ]
    np.testing.assert_allclose(got, np.stack(want), atol=1e-6)
    assert linalg.dot_test(weighted.Weighted(plain, weights[0]), key) < 1e-5
