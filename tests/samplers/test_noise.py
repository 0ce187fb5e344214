"""Samplers that account for measurement noise, against float64 theory with noise."""

import dataclasses
import functools

import dense
import jax
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax.samplers import ddnm_plus, ddrm, diffpir, pigdm

N_SAMPLES = 3000


def noisy_case(operator_name, sigma):
    prior, problem, model = cases.gaussian_case(operator_name)
    problem = problem._replace(noise_std=jax.numpy.float32(sigma))
    return prior, problem, dataclasses.replace(model, noise_std=sigma)


PAIRS = {
    "ddnm_plus": (ddnm_plus.make_step(), dense.ddrm),
    "ddrm": (ddrm.make_step(eta_b=0.8), functools.partial(dense.ddrm, eta_b=0.8)),
    "pigdm": (pigdm.make_step(), dense.pigdm),
    "diffpir": (diffpir.make_step(), dense.diffpir),
}


LEVELS = [(name, 0.3) for name in PAIRS] + [("ddrm", 0.02), ("ddrm", 2.0)]


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize(("name", "sigma"), LEVELS)
def test_mean_and_covariance_with_noise(name, operator_name, sigma, key):
    prior, problem, model = noisy_case(operator_name, sigma)
    numbers = cases.guidance(lam=3.0, eta=0.7)
    (step, reference), grid = PAIRS[name], cases.grid()
    keys = jax.random.split(key, N_SAMPLES)
    images = jax.jit(
        jax.vmap(lambda k: cases.run(k, step, prior, problem, numbers)[0])
    )(keys)
    levels = (np.float64(grid.alpha_bar), np.float64(grid.alpha_bar_next))
    values = [float(v) for v in numbers]
    mean, cov = dense.moments(reference, model, levels, values)
    flat = np.float64(images.reshape(N_SAMPLES, -1))
    error = np.sqrt(np.diag(cov) / N_SAMPLES)
    assert np.all(np.abs(flat.mean(0) - mean) < 4.5 * error + 1e-3)
    scale = np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
    off = np.abs(np.cov(flat.T) - cov) / (scale + 1e-5)
    assert off.max() < 6 / np.sqrt(N_SAMPLES)
