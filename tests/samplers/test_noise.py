"""Samplers that account for measurement noise, against float64 theory with noise."""

import functools

import dense
import jax
import method_cases as cases
import numpy as np
import pytest

from mgdm_jax.samplers import ddnm_plus, ddrm, diffpir, mgdm, pigdm

N_SAMPLES = 3000


PAIRS = {
    "ddnm_plus": (ddnm_plus.make_step(), dense.ddrm),
    "ddrm": (ddrm.make_step(eta_b=0.8), functools.partial(dense.ddrm, eta_b=0.8)),
    "pigdm": (pigdm.make_step(), dense.pigdm),
    "diffpir": (diffpir.make_step(), dense.diffpir),
    "mgdm": (mgdm.make_step(), dense.mgdm),
    "dds": cases.METHODS["dds"],
}


LEVELS = [(name, 0.3) for name in PAIRS] + [("ddrm", 0.02), ("ddrm", 2.0)]


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize(("name", "sigma"), LEVELS)
def test_mean_and_covariance_with_noise(name, operator_name, sigma, key):
    prior, problem, model = cases.noisy_case(operator_name, sigma)
    numbers = cases.guidance(lam=3.0, eta=0.7)
    step, reference = PAIRS[name]
    keys = jax.random.split(key, N_SAMPLES)
    images = cases.samples(keys, step, prior, problem, numbers)
    values = [float(v) for v in numbers]
    mean, cov = dense.moments(reference, model, cases.levels(), values)
    flat = np.float64(images.reshape(N_SAMPLES, -1))
    error = np.sqrt(np.diag(cov) / N_SAMPLES)
    assert np.all(np.abs(flat.mean(0) - mean) < 4.5 * error + 1e-3)
    scale = np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
    off = np.abs(np.cov(flat.T) - cov) / (scale + 1e-5)
    assert off.max() < 6 / np.sqrt(N_SAMPLES)


DRAWS = {"csgm_langevin": 3, "mcg": 2, "mcg_norm": 2, "ddrm": 1, "ddnm_plus": 1}
"""Methods whose noise is not white -> how many they draw, several with keys of their
own."""


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize("index", [6, -1])
@pytest.mark.parametrize("name", DRAWS)
def test_a_step_is_the_dense_one_of_the_same_noises(name, index, operator_name, key):
    """At σ_t = 0.4 and σ_y = 0.5, so that neither is all of σ_t² + σ_y², and the last.

    What is done differently there, at σ_t = 0.01, no statistics of images would show.
    """
    prior, problem, model = cases.noisy_case(operator_name, 0.5)
    numbers = cases.guidance()
    step, reference = PAIRS.get(name, cases.METHODS[name])
    got, estimate = cases.step_at(key, step, problem, prior, numbers, index)
    a, s = (level[index] for level in cases.levels())
    x_t, values = np.float64(estimate.x_t).reshape(-1, 1), [float(v) for v in numbers]
    mean, spread = reference(model, x_t, a, s, *values)
    n, shape = DRAWS[name], estimate.x_t.shape
    keys = jax.random.split(key, n) if n > 1 else [key]
    z = np.float64([jax.random.normal(k, shape) for k in keys]).ravel()
    want = mean[:, 0] + spread @ z[: spread.shape[1]]  # Langevin drops its last
    np.testing.assert_allclose(np.ravel(got), want, atol=1e-4)
