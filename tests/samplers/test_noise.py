"""Samplers that account for measurement noise, against float64 theory with noise."""

import dataclasses

import dense
import jax
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax.samplers import ddnm_plus

N_SAMPLES = 3000


def noisy_case(operator_name, sigma):
    prior, problem, model = cases.gaussian_case(operator_name)
    problem = problem._replace(noise_std=jax.numpy.float32(sigma))
    return prior, problem, dataclasses.replace(model, noise_std=sigma)


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize("sigma", [0.02, 0.3, 2.0])
def test_ddnm_plus_is_the_affine_map_of_the_theory(operator_name, sigma, key):
    prior, problem, model = noisy_case(operator_name, sigma)
    numbers = cases.guidance(eta=0.7)
    step, grid = ddnm_plus.make_step(), cases.grid()
    keys = jax.random.split(key, N_SAMPLES)
    images = jax.jit(
        jax.vmap(lambda k: cases.run(k, step, prior, problem, numbers)[0])
    )(keys)
    levels = (np.float64(grid.alpha_bar), np.float64(grid.alpha_bar_next))
    values = [float(v) for v in numbers]
    mean, cov = dense.moments(dense.ddnm_plus, model, levels, values)
    flat = np.float64(images.reshape(N_SAMPLES, -1))
    error = np.sqrt(np.diag(cov) / N_SAMPLES)
    assert np.all(np.abs(flat.mean(0) - mean) < 4.5 * error + 1e-3)
    scale = np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
    off = np.abs(np.cov(flat.T) - cov) / (scale + 1e-5)
    assert off.max() < 6 / np.sqrt(N_SAMPLES)
