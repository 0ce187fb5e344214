"""RED-diff against its formulas in NumPy."""

import jax
import method_cases as cases
import numpy as np

from mgdm_jax import analytic
from mgdm_jax.samplers import red_diff


def run(key, prior, problem, numbers, steps):
    return red_diff.sample(
        key, analytic.gaussian_denoiser, prior, cases.grid(steps), problem, numbers
    )


def test_three_steps_are_adam_s(key):
    prior, problem, model = cases.gaussian_case("real")
    numbers = cases.guidance(zeta=0.05, lam=0.25)
    got, info = jax.jit(lambda k: run(k, prior, problem, numbers, 3))(key)
    mu = np.linalg.pinv(model.matrix) @ model.y
    first, second = np.zeros((2, len(mu)))
    grid, keys = cases.grid(3), jax.random.split(key, 3)
    for i, a in enumerate(np.float64(grid.alpha_bar)):
        z = np.float64(jax.random.normal(keys[i], got.shape)).ravel()
        x_t = np.sqrt(a) * mu + np.sqrt(1 - a) * z
        x0_hat = model.denoise(x_t[:, None], a)[0][:, 0]
        eps = (x_t - np.sqrt(a) * x0_hat) / np.sqrt(1 - a)
        gradient = model.matrix.T @ (model.matrix @ mu - model.y)
        gradient += 0.25 * np.sqrt((1 - a) / a) * (eps - z)
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        unbiased = first / (1 - 0.9 ** (i + 1))
        mu = mu - 0.05 * unbiased / np.sqrt(second / (1 - 0.99 ** (i + 1)))
    np.testing.assert_allclose(np.ravel(got), mu, atol=1e-3)
    assert info.data_residual.shape == (3,)


def test_without_the_prior_it_stays_at_the_least_squares_solution(key):
    prior, problem, model = cases.gaussian_case("ct")
    numbers = cases.guidance(zeta=1e-4, lam=0.0)
    image, _ = jax.jit(lambda k: run(k, prior, problem, numbers, 5))(key)
    want = np.linalg.pinv(model.matrix) @ model.y
    np.testing.assert_allclose(np.ravel(image), want, atol=2e-3)
