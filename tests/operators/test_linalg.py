import helpers
import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest

from mgdm_jax.operators import linalg


def positive_definite(n, seed=0):
    a = np.random.default_rng(seed).normal(size=(n, n))
    return a @ a.T / n + 0.5 * np.eye(n)


def matvec_of(matrix):
    h = jnp.asarray(matrix, jnp.float32)
    return lambda x: (h @ x.reshape(-1)).reshape(x.shape)


def test_cg_solves_and_reports_the_true_residual():
    matrix = positive_definite(12)
    b = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    got = linalg.conjugate_gradient(matvec_of(matrix), b, jnp.zeros((3, 4)), 50, 1e-5)
    want = np.linalg.solve(matrix, b.ravel()).reshape(3, 4)
    np.testing.assert_allclose(got.x, want, atol=1e-4)
    residual = np.linalg.norm(b.ravel() - matrix @ np.asarray(got.x).ravel())
    assert got.relative_residual <= 1e-5
    np.testing.assert_allclose(
        residual / np.linalg.norm(b), got.relative_residual, atol=1e-6
    )
    assert got.iterations <= 13


def test_cg_stops_at_n_iter_and_starts_warm():
    matrix = positive_definite(12)
    b = jnp.ones(12)
    solution = jnp.asarray(np.linalg.solve(matrix, b), jnp.float32)
    short = linalg.conjugate_gradient(matvec_of(matrix), b, jnp.zeros(12), 2, 1e-6)
    assert short.iterations == 2 and short.relative_residual > 1e-3
    warm = linalg.conjugate_gradient(matvec_of(matrix), b, solution, 50, 1e-4)
    assert warm.iterations == 0
    np.testing.assert_array_equal(warm.x, solution)


def test_cg_of_zero_is_zero_and_finite():
    matvec = matvec_of(positive_definite(4))
    got = linalg.conjugate_gradient(matvec, jnp.zeros(4), jnp.zeros(4), 5, 1e-5)
    assert got.relative_residual == 0 and (got.x == 0).all()
    got = linalg.conjugate_gradient(matvec, jnp.zeros(4), jnp.ones(4), 20, 0.0)
    assert jnp.isfinite(got.x).all()
    np.testing.assert_allclose(got.x, 0, atol=1e-5)


def test_cg_under_vmap_stops_each_by_itself():
    matvec = matvec_of(positive_definite(8))
    bs = jnp.asarray(np.random.default_rng(2).normal(size=(3, 8)), jnp.float32)
    x0 = (
        jnp.zeros((3, 8))
        .at[1]
        .set(linalg.conjugate_gradient(matvec, bs[1], jnp.zeros(8), 30, 1e-6).x)
    )

    def solve(b, x):
        return linalg.conjugate_gradient(matvec, b, x, 30, 1e-4)

    batch = jax.jit(jax.vmap(solve))(bs, x0)
    for i in range(3):
        single = solve(bs[i], x0[i])
        np.testing.assert_allclose(batch.x[i], single.x, atol=1e-5)
        assert batch.iterations[i] == single.iterations
    assert batch.iterations[1] == 0


def test_cg_refuses_mismatched_start():
    with pytest.raises(ValueError, match="x0 must have"):
        linalg.conjugate_gradient(lambda x: x, jnp.ones(3), jnp.ones(4), 2, 0.1)


def test_operator_norm_of_a_known_spectrum(key):
    op = operator_cases.ct(8, [0.0, 40.0])
    np.testing.assert_allclose(linalg.operator_norm(op, key), 1.0, rtol=1e-3)


def test_dot_test_sees_a_wrong_adjoint(key):
    op = operator_cases.complex_fourier()

    class Wrong:
        image_shape = op.image_shape
        forward = staticmethod(op.forward)

        @staticmethod
        def adjoint(y):
            return op.adjoint(y.conj())

    assert linalg.dot_test(op, key) < 1e-6
    assert linalg.dot_test(Wrong, key) > 1e-3


def test_normal_operator(key):
    op = operator_cases.real_fourier()
    x = helpers.normal(key, op.image_shape)
    want = op.adjoint(op.forward(x)) + 0.3 * x
    np.testing.assert_allclose(linalg.normal_operator(op, 0.3)(x), want, atol=1e-6)


def test_what_is_no_number_stays_so():
    """A diverged image is no perfect fit."""
    assert np.isnan(linalg.norm(jnp.array([jnp.nan, 1.0])))
    assert np.isnan(linalg.root(jnp.nan)) and linalg.root(-1.0) == 0
    assert jax.grad(linalg.root)(0.0) == 0 == jax.grad(linalg.root)(-1.0)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.complex64])
def test_noise_is_as_wide_as_what_it_is_for(dtype, key):
    with jax.enable_x64(True):
        assert linalg.unit_noise(key, jnp.zeros(3, dtype)).dtype == dtype
