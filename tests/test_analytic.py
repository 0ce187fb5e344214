"""The samplers' oracles against brute force in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import flat_real, normal

from mgdm_jax import analytic

LEVELS = [0.02, 0.5, 0.97]
T = jnp.int32(0)


def f32(*arrays):
    return tuple(jnp.asarray(array, jnp.float32) for array in arrays)


def gaussian(rng, n):
    """Return a prior of n values, its mean and its dense covariance."""
    vectors, _ = np.linalg.qr(rng.normal(size=(n, n)))
    variances, mean = rng.uniform(0.05, 1.5, n), rng.normal(size=n)
    prior = analytic.Gaussian(*f32(mean, variances, vectors))
    return prior, mean, (vectors * variances) @ vectors.T


def conditioned(mean, cov, matrix, y, noise_cov):
    """Return mean and covariance of x | matrix x + n = y, in information form."""
    precision = np.linalg.inv(cov) + matrix.T @ np.linalg.inv(noise_cov) @ matrix
    posterior = np.linalg.inv(precision)
    information = np.linalg.solve(cov, mean)
    information += matrix.T @ np.linalg.solve(noise_cov, y)
    return posterior @ information, posterior


@pytest.mark.parametrize("alpha_bar", LEVELS)
def test_gaussian_denoiser_conditions_on_the_noisy_image(alpha_bar):
    rng = np.random.default_rng(0)
    prior, mean, cov = gaussian(rng, 6)
    x_t, eye = rng.normal(size=6), np.eye(6)
    prior = prior._replace(mean=prior.mean.reshape(2, 3))
    x_image, level = f32(x_t.reshape(2, 3), alpha_bar)
    got = analytic.gaussian_denoiser(prior, x_image, T, level)
    want, _ = conditioned(
        mean, cov, np.sqrt(alpha_bar) * eye, x_t, (1 - alpha_bar) * eye
    )
    np.testing.assert_allclose(got.x0_hat.reshape(-1), want, atol=1e-5)
    eps = (x_t - np.sqrt(alpha_bar) * want) / np.sqrt(1 - alpha_bar)
    np.testing.assert_allclose(got.eps.reshape(-1), eps, atol=3e-5)


@pytest.mark.parametrize("shape", [(3, 4), (4, 5)])
def test_stationary_denoiser_is_the_circulant_gaussian_s(shape, key):
    h, w = shape
    power = np.random.default_rng(1).uniform(0.1, 2.0, shape)
    power = (power + np.roll(power[::-1, ::-1], 1, (0, 1))) / 2
    dft = np.kron(np.fft.fft(np.eye(h), norm="ortho"), np.fft.fft(np.eye(w)) / w**0.5)
    cov = (dft.conj().T @ np.diag(power.ravel()) @ dft).real
    variances, vectors = np.linalg.eigh(cov)
    mean, x_t = normal(key, shape), normal(jax.random.fold_in(key, 1), shape)
    stationary = analytic.StationaryGaussian(mean, *f32(power))
    dense = analytic.Gaussian(mean, *f32(variances, vectors))
    for level in f32(*LEVELS):
        got = analytic.stationary_denoiser(stationary, x_t, T, level)
        want = analytic.gaussian_denoiser(dense, x_t, T, level)
        np.testing.assert_allclose(got.x0_hat, want.x0_hat, atol=1e-5)
        np.testing.assert_allclose(got.eps, want.eps, atol=5e-5)


WEIGHTS = np.array([0.5, 0.3, 0.2])
VARIANCES = np.array([0.1, 0.4, 0.05])


def mixture(means):
    return analytic.Mixture(*f32(np.log(WEIGHTS), means, VARIANCES))


def log_density(x, means, variances):
    """Return log Σ_j w_j N(x; m_j, v_j I) at x [..., n], float64."""
    n = x.shape[-1]
    squares = ((x[..., None, :] - means) ** 2).sum(-1)
    logs = np.log(WEIGHTS) - 0.5 * squares / variances - 0.5 * n * np.log(variances)
    return np.logaddexp.reduce(logs, -1) - 0.5 * n * np.log(2 * np.pi)


@pytest.mark.parametrize("alpha_bar", LEVELS)
def test_mixture_denoiser_integrates_in_one_dimension(alpha_bar):
    means = np.array([[-1.0], [0.5], [1.4]])
    x0 = np.linspace(-5, 5, 20001)[:, None]
    for x_t in (-0.8, 0.1, 1.5):
        misfit = x_t - np.sqrt(alpha_bar) * x0[:, 0]
        logs = log_density(x0, means, VARIANCES) - misfit**2 / 2 / (1 - alpha_bar)
        weights = np.exp(logs - logs.max())
        want = (weights * x0[:, 0]).sum() / weights.sum()
        x, level = f32([x_t], alpha_bar)
        got = analytic.mixture_denoiser(mixture(means), x, T, level)
        np.testing.assert_allclose(got.x0_hat, [want], atol=1e-5)


@pytest.mark.parametrize("alpha_bar", LEVELS)
def test_mixture_noise_is_the_score(alpha_bar):
    """Tweedie: ε = -√(1-ᾱ) ∇ log p_t, here by central differences."""
    rng = np.random.default_rng(2)
    means, x_t = rng.normal(size=(3, 4)), rng.normal(size=4)
    noisy = np.sqrt(alpha_bar) * means, alpha_bar * VARIANCES + 1 - alpha_bar
    steps = 1e-5 * np.eye(4)
    ahead, behind = (log_density(x_t + s, *noisy) for s in (steps, -steps))
    want = -np.sqrt(1 - alpha_bar) * (ahead - behind) / 2e-5
    x, level = f32(x_t.reshape(2, 2), alpha_bar)
    got = analytic.mixture_denoiser(mixture(means.reshape(3, 2, 2)), x, T, level)
    np.testing.assert_allclose(got.eps.reshape(-1), want, atol=3e-5)


def test_gaussian_posterior():
    rng = np.random.default_rng(3)
    prior, mean, cov = gaussian(rng, 5)
    matrix, y = rng.normal(size=(3, 5)), rng.normal(size=3)
    got = analytic.gaussian_posterior(prior, *f32(matrix, y, 0.3))
    want = conditioned(mean, cov, matrix, y, 0.09 * np.eye(3))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, atol=1e-5)


def test_mixture_posterior_of_one_component_is_the_gaussian_s():
    rng = np.random.default_rng(4)
    mean, matrix, y = rng.normal(size=4), rng.normal(size=(2, 4)), rng.normal(size=2)
    alone = analytic.Mixture(*f32([-3.0], mean.reshape(1, 2, 2), [0.7]))
    got = analytic.mixture_posterior(alone, *f32(matrix, y, 0.2))
    want = conditioned(mean, 0.7 * np.eye(4), matrix, y, 0.04 * np.eye(2))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, atol=1e-5)


@pytest.mark.parametrize("noise_std", [0.1, 1.0])
def test_mixture_posterior_integrates_in_two_dimensions(noise_std):
    """Density prior times likelihood, summed over a grid."""
    means = np.array([[-1.0, 0.3], [0.6, -0.5], [0.9, 1.1]])
    matrix, y = np.array([[0.8, -0.4]]), np.array([0.35])
    axis = np.linspace(-5, 5, 801)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    misfit = (y - x @ matrix.T)[:, 0]
    logs = log_density(x, means, VARIANCES) - misfit**2 / 2 / noise_std**2
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    mean = weights @ x
    cov = ((x - mean).T * weights) @ (x - mean)
    got = analytic.mixture_posterior(mixture(means), *f32(matrix, y, noise_std))
    np.testing.assert_allclose(got[0], mean, atol=1e-5)
    np.testing.assert_allclose(flat_real(got[1]), cov.ravel(), atol=1e-5)
