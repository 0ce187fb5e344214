"""RED-diff against its formulas in NumPy."""

import jax
import method_cases as cases
import numpy as np

from mgdm_jax import analytic
from mgdm_jax.samplers import red_diff


def run(key, prior, problem, numbers, steps, n_kept=0):
    denoise, grid = analytic.gaussian_denoiser, cases.grid(steps)
    return red_diff.sample(key, denoise, prior, grid, problem, numbers, n_kept=n_kept)


def test_three_steps_are_adam_s(key):
    prior, problem, model = cases.gaussian_case("real")
    numbers = cases.guidance(zeta=0.05, lam=0.25)
    got, info = jax.jit(lambda k: run(k, prior, problem, numbers, 3))(key)
    kept, keeping = jax.jit(lambda k: run(k, prior, problem, numbers, 3, 2))(key)
    np.testing.assert_array_equal(kept, got)
    assert keeping.x0_hat.shape == (2, *got.shape) and info.x0_hat is None
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
    np.testing.assert_allclose(np.ravel(keeping.x0_hat[1]), x0_hat, atol=1e-3)
    assert info.data_residual.shape == (3,)


def test_without_the_prior_it_stays_at_the_least_squares_solution(key):
    prior, problem, model = cases.gaussian_case("ct")
    numbers = cases.guidance(zeta=1e-4, lam=0.0)
    image, _ = jax.jit(lambda k: run(k, prior, problem, numbers, 5))(key)
    want = np.linalg.pinv(model.matrix) @ model.y
    np.testing.assert_allclose(np.ravel(image), want, atol=2e-3)


def test_jit_eager_vmap_and_one_trace(key):
    prior, problem, _ = cases.gaussian_case("real")
    numbers = [cases.guidance(zeta=0.05, lam=0.25), cases.guidance(zeta=0.1, lam=0.0)]
    traces = []

    def counted(key, numbers):
        traces.append(1)
        return run(key, prior, problem, numbers, 3)[0]

    one = jax.jit(counted)
    singles = [one(key, row) for row in numbers]
    np.testing.assert_array_equal(one(key, numbers[0]), singles[0])
    assert len(traces) == 1 and singles[0].dtype == np.float32
    with jax.disable_jit():
        eager = counted(key, numbers[0])
    np.testing.assert_allclose(eager, singles[0], atol=2e-5)
    stacked = jax.tree.map(lambda *v: np.stack(v), *numbers)
    both = jax.jit(jax.vmap(counted, in_axes=(None, 0)))(key, stacked)
    np.testing.assert_allclose(both, np.stack(singles), atol=2e-5)
