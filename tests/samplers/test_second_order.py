"""Second order: DPM-Solver++(2M)'s own formula, and errors that fall as they must."""

import functools

import jax
import jax.numpy as jnp
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax import analytic, schedules
from mgdm_jax.samplers import ddim, loop

TABLE = schedules.discrete_vp("linear")


def grid(n_steps, order):
    indices = schedules.log_snr_indices(n_steps, TABLE)
    return schedules.time_grid(TABLE, indices, order=order)


def sampled(key, process, prior, problem, times, numbers):
    denoise = analytic.gaussian_denoiser
    return jax.jit(
        lambda: process(
            key=key,
            denoise=denoise,
            params=prior,
            grid=times,
            problem=problem,
            guidance=numbers,
        )[0]
    )()


def unguided(key, times):
    """Return x_T and the image that DDIM makes of it on a Gaussian prior."""
    prior, problem, _ = cases.gaussian_case("real")
    run = functools.partial(loop.sample, step=ddim.make_step())
    image = sampled(key, run, prior, problem, times, cases.guidance(eta=0.0))
    return jax.random.normal(jax.random.split(key)[0], image.shape), image


def published(x, table, predict):
    """DPM-Solver++(2M) of Lu et al., 2022, algorithm 2, with a last step to x0."""
    alpha, sigma = np.sqrt(table), np.sqrt(1 - table)
    snr = np.log(alpha / sigma)
    before = None
    for i in range(len(table)):
        x0 = predict(x, table[i])
        if i == len(table) - 1:
            return x0
        h, data = snr[i + 1] - snr[i], x0
        if before is not None:
            r = (snr[i] - snr[i - 1]) / h
            data = (1 + 1 / (2 * r)) * x0 - before / (2 * r)
        x = sigma[i + 1] / sigma[i] * x - alpha[i + 1] * np.expm1(-h) * data
        before = x0


def test_unguided_it_is_the_published_solver(key):
    prior, _, _ = cases.gaussian_case("real")
    mean, variances, vectors = (np.float64(leaf) for leaf in prior)
    mean = mean.ravel()

    def predict(x, alpha_bar):
        gain = np.sqrt(alpha_bar) * variances / (alpha_bar * variances + 1 - alpha_bar)
        return mean + vectors @ (gain * (vectors.T @ (x - np.sqrt(alpha_bar) * mean)))

    times = grid(12, order=2)
    start, image = unguided(key, times)
    want = published(np.float64(start).ravel(), TABLE[times.t], predict)
    np.testing.assert_allclose(image.ravel(), want, atol=2e-4)
    _, first = unguided(key, grid(12, order=1))
    assert np.abs(first.ravel() - want).max() > 1e-2


def test_its_error_falls_with_the_square_of_the_steps(key):
    """The exact flow scales every direction by √(ᾱ v + 1-ᾱ), up to the last time."""
    prior, _, _ = cases.gaussian_case("real")
    mean, variances, vectors = (np.float64(leaf) for leaf in prior)
    mean = mean.ravel()

    def error(n_steps, order):
        start, image = unguided(key, grid(n_steps, order))
        noisy, clean = (a * variances + 1 - a for a in (TABLE[-1], TABLE[0]))
        x = vectors.T @ (np.float64(start).ravel() - np.sqrt(TABLE[-1]) * mean)
        # The last step is the posterior mean at the table's least noise.
        x = x * np.sqrt(clean / noisy) * np.sqrt(TABLE[0]) * variances / clean
        return np.abs(image.ravel() - mean - vectors @ x).max()

    assert error(32, 2) < error(32, 1) / 6
    assert error(16, 1) / error(32, 1) == pytest.approx(2, abs=0.4)
    assert error(16, 2) / error(32, 2) == pytest.approx(4, abs=1)


def test_with_noise_it_is_the_published_sde_solver(key):
    """x_s = σ_s/σ_t e^-h x_t + α_s (1 - e^-2h) D + σ_s √(1 - e^-2h) z, one step."""
    prior, _, _ = cases.gaussian_case("real")
    row = jax.tree.map(lambda column: column[3], grid(12, order=2))
    x_t, x0_before = jax.random.normal(key, (2, *prior.mean.shape))
    estimate = loop.linearise(
        analytic.gaussian_denoiser, prior, x_t, row, 1.0, x0_before
    )
    got = ddim.update(
        key, estimate, estimate.x0_hat, estimate.eps, jnp.float32(1), "ddim"
    )
    t, s = np.float64(row.alpha_bar), np.float64(row.alpha_bar_next)
    h = 0.5 * np.log(s * (1 - t) / (t * (1 - s)))
    data = estimate.x0_hat + row.look_back * (estimate.x0_hat - x0_before)
    want = np.sqrt((1 - s) / (1 - t)) * np.exp(-h) * x_t
    want = want - np.sqrt(s) * np.expm1(-2 * h) * data
    z = jax.random.normal(key, x_t.shape)
    want = want + np.sqrt((1 - s) * -np.expm1(-2 * h)) * z
    np.testing.assert_allclose(got, want, atol=2e-5)


def guided(name, model, x, a, zeta, lam):
    """Return the estimate that a method's update starts from."""
    x0_hat, jac = model.denoise(x, a)
    if name in ("dps", "pigdm"):
        return x0_hat
    if name == "mgdm":
        misfit = model.y[:, None] - model.matrix @ x0_hat
        x0_hat = x0_hat + 2 * zeta * jac.T @ model.matrix.T @ misfit
    return model.prox(x0_hat, lam if name in ("dds", "mgdm") else 0)


@pytest.mark.parametrize("name", ["ddnm", "dds", "diffpir", "dps", "mgdm", "pigdm"])
def test_a_guided_step_looks_back_at_the_corrected_estimate(name, key):
    prior, problem, model = cases.gaussian_case("real")
    numbers = cases.guidance(eta=0.0)
    zeta, lam, *_ = values = [float(v) for v in numbers]
    times = grid(5, order=2)
    image = sampled(key, cases.process(name), prior, problem, times, numbers)
    start = jax.random.normal(jax.random.split(key)[0], image.shape)
    x = np.float64(start).reshape(-1, 1)
    before = np.zeros_like(x)
    for a, s, w in zip(*map(np.float64, times[1:]), strict=True):
        x0 = guided(name, model, x, a, zeta, lam)
        further = w * (x0 - before)
        x, _ = cases.METHODS[name][1](model, x, a, s, *values)
        x = x + (np.sqrt(s) - np.sqrt((1 - s) * a / (1 - a))) * further
        before = x0
    np.testing.assert_allclose(np.ravel(image), x[:, 0], atol=1e-3)
    times = grid(5, order=1)
    first = sampled(key, cases.process(name), prior, problem, times, numbers)
    assert np.abs(np.ravel(first) - x[:, 0]).max() > 1e-2
