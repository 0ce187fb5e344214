"""Predictor–corrector sampling on VE levels of a VP prior."""

import dense
import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic
from mgdm_jax.samplers import loop, predictor_corrector, ve

N_SAMPLES = 1000


def test_score_is_that_of_the_smoothed_prior(key):
    prior, problem, model = cases.gaussian_case("real")
    row = jax.tree.map(lambda v: v[3], cases.grid())
    x = 3 * jax.random.normal(key, problem.operator.image_shape)
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x, row, 1.0)
    level = ve.level_of(estimate)
    a = float(row.alpha_bar)
    assert float(level.sigma) == pytest.approx(np.sqrt((1 - a) / a), rel=1e-5)
    smoothed = model.cov + (1 - a) / a * np.eye(len(model.mean))
    want = -np.linalg.solve(smoothed, np.float64(x).ravel() - model.mean)
    np.testing.assert_allclose(np.ravel(level.score(x)), want, rtol=2e-3, atol=2e-5)
    here = -np.linalg.solve(smoothed, np.float64(x).ravel() / np.sqrt(a) - model.mean)
    np.testing.assert_allclose(np.ravel(level.score_here), here, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize("name", ["score_med", "score_mri"])
def test_noiseless_data_are_met(name, operator_name, key):
    prior, problem, model = cases.gaussian_case(operator_name)
    numbers = cases.guidance(zeta=0.2, lam=0.8)
    image, info = cases.sample(key, name, prior, problem, numbers)
    np.testing.assert_allclose(model.matrix @ np.ravel(image), model.y, atol=1e-3)
    assert float(info.data_residual[-1]) < 1e-3


@pytest.mark.parametrize("name", ["score_med", "score_mri"])
def test_what_is_not_measured_follows_the_prior(name, key):
    """A white prior leaves the null space alone: its variance must come out.

    At a ratio of 0.16 the corrector, a Langevin step of finite size, adds a tenth.
    """
    _, problem, model = cases.gaussian_case("real")
    n = len(model.mean)
    shape = problem.operator.image_shape
    prior = analytic.Gaussian(jnp.full(shape, 0.3), jnp.full(n, 0.5), jnp.eye(n))
    numbers = cases.guidance(zeta=0.02, lam=1.0)
    keys = jax.random.split(key, N_SAMPLES)
    images, _ = jax.jit(
        jax.vmap(lambda k: cases.run(k, name, prior, problem, numbers, steps=200))
    )(keys)
    unseen = np.eye(n) - dense.pinv(model.matrix) @ model.matrix
    part = np.float64(images).reshape(N_SAMPLES, n) @ unseen
    rank = np.trace(unseen)
    assert rank > 2
    variance = part.var(0).sum() / rank
    assert variance == pytest.approx(0.5, rel=0.1)
    want = unseen @ np.full(n, 0.3)
    np.testing.assert_allclose(part.mean(0), want, atol=5 * np.sqrt(0.5 / N_SAMPLES))


@pytest.mark.parametrize("index", [3, -1])
@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize("name", ["score_med", "score_mri"])
def test_a_step_is_corrector_merge_predictor_merge(name, operator_name, index, key):
    """The formulas of the module, in float64, from the same four noises.

    At the last level the predictor adds none, and y is merged with all its weight.
    """
    prior, problem, model = cases.gaussian_case(operator_name)
    row = jax.tree.map(lambda v: v[index], cases.grid())
    x_t = jax.random.normal(key, problem.operator.image_shape)
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x_t, row, 1.0)
    numbers, (snr, weight) = cases.guidance(zeta=0.3, lam=0.8), (0.3, 0.8)
    got, _ = jax.jit(lambda: cases.METHODS[name][0](key, estimate, problem, numbers))()
    keys = jax.random.split(key, 4)
    z = [np.float64(jax.random.normal(k, x_t.shape)).ravel() for k in keys]
    a, s = float(row.alpha_bar), float(row.alpha_bar_next)
    variance, following = (1 - a) / a, (1 - s) / s
    inverse = dense.pinv(model.matrix)

    def score(x):
        return (model.denoise(np.sqrt(a) * x[:, None], a)[0][:, 0] - x) / variance

    def merged(x, sigma, noise, weight):
        diffused = sigma * noise if name == "score_med" else 0 * noise
        target = model.y + model.matrix @ diffused
        return x + weight * inverse @ (target - model.matrix @ x)

    x = np.float64(x_t).ravel() / np.sqrt(a)
    size = 2 * (snr * np.linalg.norm(z[0]) / np.linalg.norm(score(x))) ** 2
    x = x + size * score(x) + np.sqrt(2 * size) * z[0]
    x = merged(x, np.sqrt(variance), z[1], weight)
    change = variance - following
    if index == -1:
        z[2], weight = 0.0 * z[2], 1.0
    x = x + change * score(x) + np.sqrt(change) * z[2]
    x = merged(x, np.sqrt(following), z[3], weight)
    np.testing.assert_allclose(np.ravel(got), np.sqrt(s) * x, atol=2e-4)


def test_corrector_s_step(key):
    x = jnp.ones((3, 3))
    level = ve.Level(jnp.float32(2), jnp.float32(1), lambda x: -2 * x, -2 * x)
    got = predictor_corrector.corrected(key, x, level, jnp.float32(0.3))
    z = np.float64(jax.random.normal(key, (3, 3)))
    size = 2 * (0.3 * np.linalg.norm(z) / np.linalg.norm(2 * np.ones((3, 3)))) ** 2
    want = 1 - 2 * size + np.sqrt(2 * size) * z
    np.testing.assert_allclose(got, want, rtol=1e-5)
