"""Priors whose denoiser and posterior are known exactly: the samplers' oracles.

A Gaussian prior makes every sampler here a linear recursion, so that mean and
covariance of its output can be computed and compared. All in operator units with
`noise_scale` 1 and nothing clipped; arrays are flattened images inside.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mgdm_jax.types import Array, Denoised


class Gaussian(NamedTuple):
    """N(mean, V diag(variances) Vᵀ).

    Attributes:
      mean: the image, any shape, n values.
      variances: [n].
      vectors: [n, n], orthonormal columns.
    """

    mean: Array
    variances: Array
    vectors: Array


class StationaryGaussian(NamedTuple):
    """A Gaussian whose covariance is diagonal in the DFT.

    Attributes:
      mean: [h, w].
      power: [h, w] variance of each orthonormal DFT coefficient, corner order,
        even: power(k) = power(-k).
    """

    mean: Array
    power: Array


class Mixture(NamedTuple):
    """Σ_j weight_j N(mean_j, variance_j I).

    Attributes:
      log_weights: [j].
      means: [j, …image].
      variances: [j].
    """

    log_weights: Array
    means: Array
    variances: Array


def _denoised(x_t: Array, x0_hat: Array, alpha_bar: Array) -> Denoised:
    eps = (x_t - jnp.sqrt(alpha_bar) * x0_hat) / jnp.sqrt(1.0 - alpha_bar)
    return Denoised(x0_hat, eps)


def gaussian_denoiser(
    prior: Gaussian, x_t: Array, t: Array, alpha_bar: Array
) -> Denoised:
    """Return E[x0 | x_t] = m + √ᾱ C (ᾱ C + (1-ᾱ) I)⁻¹ (x_t - √ᾱ m) and its ε."""
    del t
    gain = jnp.sqrt(alpha_bar) * prior.variances
    gain = gain / (alpha_bar * prior.variances + 1.0 - alpha_bar)
    centred = (x_t - jnp.sqrt(alpha_bar) * prior.mean).reshape(-1)
    highest = jax.lax.Precision.HIGHEST
    coefficients = gain * jnp.matmul(prior.vectors.T, centred, precision=highest)
    shift = jnp.matmul(prior.vectors, coefficients, precision=highest)
    return _denoised(x_t, prior.mean + shift.reshape(x_t.shape), alpha_bar)


def stationary_denoiser(
    prior: StationaryGaussian, x_t: Array, t: Array, alpha_bar: Array
) -> Denoised:
    """Return `gaussian_denoiser`'s result by two FFTs."""
    del t
    gain = jnp.sqrt(alpha_bar) * prior.power
    gain = gain / (alpha_bar * prior.power + 1.0 - alpha_bar)
    spectrum = jnp.fft.fft2(x_t - jnp.sqrt(alpha_bar) * prior.mean)
    shift = jnp.fft.ifft2(gain.astype(spectrum.dtype) * spectrum).real
    return _denoised(x_t, prior.mean + shift, alpha_bar)


def mixture_denoiser(
    prior: Mixture, x_t: Array, t: Array, alpha_bar: Array
) -> Denoised:
    """Return the responsibility-weighted mean of the components' posterior means."""
    del t
    axes = tuple(range(1, prior.means.ndim))
    spread = (-1,) + (1,) * len(axes)
    total = alpha_bar * prior.variances + 1.0 - alpha_bar
    centred = x_t[None] - jnp.sqrt(alpha_bar) * prior.means
    distances = jnp.sum(centred**2, axis=axes)
    logits = prior.log_weights - 0.5 * distances / total
    weights = jax.nn.softmax(logits - 0.5 * x_t.size * jnp.log(total))
    gain = jnp.sqrt(alpha_bar) * prior.variances / total
    posterior = prior.means + gain.reshape(spread) * centred
    x0_hat = jnp.sum(weights.reshape(spread) * posterior, axis=0)
    return _denoised(x_t, x0_hat, alpha_bar)


def gaussian_posterior(
    prior: Gaussian, matrix: Array, measurement: Array, noise_std: Array
) -> tuple[Array, Array]:
    """Return mean [n] and covariance [n, n] of x given y = matrix · x + n.

    Args:
      prior: of n values.
      matrix: [m, n] real.
      measurement: [m].
      noise_std: σ_y > 0.
    """
    with jax.default_matmul_precision("highest"):
        covariance = (prior.vectors * prior.variances[None]) @ prior.vectors.T
        gram = matrix @ covariance @ matrix.T + noise_std**2 * jnp.eye(len(matrix))
        gain = jnp.linalg.solve(gram, matrix @ covariance).T
        mean = prior.mean.reshape(-1)
        posterior_mean = mean + gain @ (measurement - matrix @ mean)
        return posterior_mean, covariance - gain @ matrix @ covariance


def mixture_posterior(
    prior: Mixture, matrix: Array, measurement: Array, noise_std: Array
) -> tuple[Array, Array]:
    """Return mean [n] and covariance [n, n] of x given y = matrix · x + n.

    The posterior is again a mixture: component j has the evidence
    N(y; A m_j, v_j AAᵀ + σ_y² I), and a Gaussian posterior of its own.

    Args:
      prior: of n values.
      matrix: A [m, n] real.
      measurement: y [m].
      noise_std: σ_y > 0.
    """
    n_measured, n = matrix.shape
    means = prior.means.reshape(-1, n)

    def component(log_weight: Array, mean: Array, variance: Array):
        gram = variance * matrix @ matrix.T + noise_std**2 * jnp.eye(n_measured)
        factor = jax.scipy.linalg.cho_factor(gram, lower=True)
        misfit = measurement - matrix @ mean
        distance = misfit @ jax.scipy.linalg.cho_solve(factor, misfit)
        log_evidence = -0.5 * distance - jnp.sum(jnp.log(jnp.diag(factor[0])))
        gain = variance * jax.scipy.linalg.cho_solve(factor, matrix).T
        covariance = variance * (jnp.eye(n) - gain @ matrix)
        return log_weight + log_evidence, mean + gain @ misfit, covariance

    with jax.default_matmul_precision("highest"):
        logits, centres, covariances = jax.vmap(component)(
            prior.log_weights, means, prior.variances
        )
        weights = jax.nn.softmax(logits)
        mean = weights @ centres
        apart = centres - mean[None]
        between = (apart.T * weights[None]) @ apart
        return mean, between + jnp.tensordot(weights, covariances, axes=1)
