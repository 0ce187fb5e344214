"""Laws every operator obeys: adjoint, norm, proximal step, jit, vmap, export."""

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
import pytest
from jax import export

from mgdm_jax.operators import linalg, radon, sense, spectrum

CASES = operator_cases.SPECTRAL
LAMBDAS = (1e-4, 1e-2, 3.0)


@pytest.fixture(params=CASES, scope="module")
def op(request):
    return CASES[request.param]()


@pytest.fixture(scope="module")
def matrix(op):
    return helpers.dense_matrix(op)


def test_adjoint(op, key):
    helpers.check_adjoint(op, key)


def test_adjoint_is_the_transposed_matrix(op, matrix, key):
    y = helpers.random_measurement(op, key)
    want = matrix.T @ helpers.flat_real(y)
    got = helpers.flat_real(helpers.adjoint(op, y))
    np.testing.assert_allclose(got, want, atol=2e-6)


def test_norm(op, matrix, key):
    dense = np.linalg.norm(matrix, 2)
    measured = jax.jit(linalg.operator_norm, static_argnums=2)(op, key, 200)
    np.testing.assert_allclose(measured, dense, rtol=2e-3)
    if isinstance(op, sense.Sense):
        assert 0.9 < dense <= 1 + 1e-6
    else:
        np.testing.assert_allclose(dense, 1, atol=1e-6)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_prox_equals_dense_solve(op, matrix, key, lam):
    x = helpers.random_image(op, key)
    y = helpers.forward(op, helpers.random_image(op, jax.random.fold_in(key, 1)))
    want = helpers.dense_prox(matrix, x, y, lam)
    got = helpers.flat_real(helpers.prox_jit(op, x, y, jnp.float32(lam)))
    atol = 2e-4 if lam < 1e-3 else 1e-5
    if isinstance(op, sense.Sense):  # AᴴA: rounding is amplified by 1/(s² + λ)
        atol = 1e-5 + 5e-7 / lam
    np.testing.assert_allclose(got, want, atol=min(atol, 1e-3))


@pytest.mark.parametrize("lam", LAMBDAS)
def test_prox_is_the_minimum(op, key, lam):
    helpers.check_prox(op, key, lam)


def test_prox_agrees_with_cg(op, key):
    lam = 0.1
    x = helpers.random_image(op, key)
    y = helpers.random_measurement(op, jax.random.fold_in(key, 1))

    @jax.jit
    def solve():
        matvec, rhs = linalg.normal_operator(op, lam), op.adjoint(y) + lam * x
        return linalg.conjugate_gradient(matvec, rhs, x, 100, 1e-6)

    solved = solve()
    assert solved.relative_residual < 1e-6 and solved.iterations < 100
    got = helpers.prox_jit(op, x, y, jnp.float32(lam))
    np.testing.assert_allclose(got, solved.x, atol=5e-5)


def test_small_lambda_is_the_pseudo_inverse(op, matrix, key):
    x = helpers.random_image(op, key)
    y = helpers.forward(op, helpers.random_image(op, jax.random.fold_in(key, 1)))
    residual = helpers.flat_real(y) - matrix @ helpers.flat_real(x)
    pinv = np.linalg.pinv(matrix, rcond=1e-2)
    want = helpers.flat_real(x) + pinv @ residual
    gains = (
        spectrum.pseudo_inverse_gain(1e-4),
        spectrum.proximal_gain(jnp.float32(0.0), 1e-4),
    )
    points = jax.jit(
        lambda: [x + op.spectral_filter(gain, y - op.forward(x)) for gain in gains]
    )
    for got in points():
        atol = 1e-3 if isinstance(op, sense.Sense) else 1e-4
        np.testing.assert_allclose(helpers.flat_real(got), want, atol=atol)


def test_large_lambda_changes_nothing(op, key):
    x = helpers.random_image(op, key)
    y = helpers.random_measurement(op, key)
    got = helpers.prox_jit(op, x, y, jnp.float32(1e8))
    np.testing.assert_allclose(got, x, atol=1e-6, rtol=1e-6)


def test_gradient_of_the_misfit_is_the_adjoint(op, key):
    x, y = helpers.random_image(op, key), helpers.random_measurement(op, key)
    zero = jnp.zeros(op.image_shape)
    got = jax.jit(jax.grad(helpers.prox_objective, 1))(op, x, zero, y, 0.0)
    want = jax.jit(lambda: op.adjoint(op.forward(x) - y))()
    np.testing.assert_allclose(got, want, atol=3e-6)


def test_gain_unsafe_at_zero_stays_finite(op, key):
    y = helpers.random_measurement(op, key)
    filtered = jax.jit(lambda: op.spectral_filter(lambda s2: 1.0 / s2, y))()
    assert np.isfinite(filtered).all()


def test_jit_equals_eager_and_vmap_equals_loop(op, key):
    xs = helpers.normal(key, (2, *op.image_shape))
    ys = jnp.stack([helpers.random_measurement(op, k) for k in jax.random.split(key)])
    lams = jnp.array([0.1, 2.0])

    def step(lam, x):
        return helpers.prox(op, x, ys[0], lam)

    looped = jnp.stack([step(lam, x) for lam, x in zip(lams, xs, strict=True)])
    np.testing.assert_allclose(
        looped[0], helpers.prox_jit(op, xs[0], ys[0], lams[0]), atol=2e-5
    )
    batch = jax.jit(jax.vmap(step))(lams, xs)
    np.testing.assert_allclose(looped, batch, atol=2e-5)
    adjoints = jnp.stack([helpers.adjoint(op, y) for y in ys])
    batch = jax.jit(jax.vmap(op.adjoint))(ys)
    np.testing.assert_allclose(adjoints, batch, atol=1e-6)


def test_lowers_for_accelerators(op):
    image = jnp.zeros(op.image_shape)

    def everything(operator, x, lam):
        y = operator.forward(x)
        out = helpers.prox(operator, x + operator.adjoint(y), y, lam)
        if isinstance(operator, radon.ParallelBeam):
            out = out + radon.fbp(operator, y)
        return out

    lowered = export.export(jax.jit(everything), platforms=("cuda", "tpu"))
    module = lowered(op, image, jnp.float32(0.1)).mlir_module()
    assert "callback" not in module


@pytest.mark.parametrize(
    "make",
    [
        operator_cases.complex_fourier,
        operator_cases.real_fourier,
        operator_cases.multi_coil,
    ],
)
def test_new_masks_do_not_retrace_and_batch(make, key):
    count = 0

    @jax.jit
    def step(op, x, y, lam):
        nonlocal count
        count += 1
        return helpers.prox(op, x, y, lam)

    ops = [make(seed=seed) for seed in (0, 1, 2)]
    assert not (ops[0].mask == ops[1].mask).all()
    x = helpers.random_image(ops[0], key)
    y = helpers.random_measurement(ops[0], key)
    singles = [step(op, x, y, jnp.float32(i + 1)) for i, op in enumerate(ops)]
    assert count == 1
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *ops)
    batch = jax.jit(jax.vmap(helpers.prox, (0, None, None, 0)))(
        stacked, x, y, jnp.arange(1.0, 4.0)
    )
    np.testing.assert_allclose(batch, jnp.stack(singles), atol=1e-5)


def test_new_measurements_and_lambdas_do_not_retrace(op, key):
    count = 0

    @jax.jit
    def step(operator, x, y, lam):
        nonlocal count
        count += 1
        return helpers.prox(operator, x, y, lam)

    x = helpers.random_image(op, key)
    for i in range(2):
        y = helpers.random_measurement(op, jax.random.fold_in(key, i))
        step(jax.tree.map(jnp.copy, op), x, y, jnp.float32(i))
    assert count == 1
