"""RED-diff against its formulas in NumPy."""

import functools

import dense
import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

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
    mu = dense.pinv(model.matrix) @ model.y
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


def test_without_the_prior_it_goes_to_the_data_from_anywhere(key):
    """And from A†y, where it starts, nowhere."""
    prior, problem, model = cases.gaussian_case("complex")
    descend = functools.partial(
        red_diff.sample,
        denoise=analytic.gaussian_denoiser,
        params=prior,
        problem=problem,
        guidance=cases.guidance(zeta=0.01, lam=0.0),
    )
    grid = jax.tree.map(lambda v: jnp.repeat(v[:1], 600), cases.grid())
    start = jax.random.normal(key, problem.operator.image_shape)
    far = jax.jit(lambda: descend(key, grid=grid, projection=lambda *_: start)[0])()
    np.testing.assert_allclose(model.matrix @ np.ravel(far), model.y, atol=5e-3)
    stays, _ = jax.jit(lambda: descend(key, grid=grid))()
    want = dense.pinv(model.matrix) @ model.y
    np.testing.assert_allclose(np.ravel(stays), want, atol=0.02)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
def test_it_settles_between_the_data_and_the_prior_and_does_not_spread(
    operator_name, key
):
    """The module's closed form at one noise level, and no covariance: its bias."""
    prior, problem, model = cases.gaussian_case(operator_name)
    alpha_bar, lam, n = 0.7, 0.5, len(model.mean)
    row = cases.grid(1)._replace(alpha_bar=jnp.float32([alpha_bar]))

    def settle(key, rate, steps):
        return red_diff.sample(
            key,
            analytic.gaussian_denoiser,
            prior,
            jax.tree.map(lambda v: jnp.repeat(v, steps), row),
            problem,
            cases.guidance(zeta=rate, lam=lam),
        )[0]

    keys = jax.random.split(key, 64)
    flat = {}
    for rate, steps in ((0.02, 400), (0.004, 2000)):
        images = jax.jit(jax.vmap(lambda k, r=rate, n=steps: settle(k, r, n)))(keys)
        flat[rate] = np.float64(images).reshape(len(keys), n)
    smoothed = alpha_bar * model.cov + (1 - alpha_bar) * np.eye(n)
    pull = lam * (1 - alpha_bar) * np.linalg.inv(smoothed)
    normal = model.matrix.T @ model.matrix
    want = np.linalg.solve(normal + pull, model.matrix.T @ model.y + pull @ model.mean)
    np.testing.assert_allclose(flat[0.004].mean(0), want, atol=0.02)
    spread = {rate: x.std(0).max() for rate, x in flat.items()}
    assert spread[0.004] < 0.5 * spread[0.02] < 0.2
