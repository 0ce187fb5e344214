"""On a Gaussian prior the samplers' mean and covariance are known exactly."""

import dense
import jax
import method_cases as cases
import numpy as np
import pytest

N_SAMPLES = 3000


def theory(name, operator_name, numbers):
    _, _, model = cases.gaussian_case(operator_name)
    values = [float(v) for v in numbers]
    return dense.moments(cases.METHODS[name][1], model, cases.levels(), values)


RECURSIONS = [(name, 0.0) for name in cases.DETERMINISTIC]
RECURSIONS += [("mgdm", 0.3), ("dds", 0.3)]
"""And the noise; `test_noise` has the other methods with noise."""


@pytest.mark.parametrize("operator_name", cases.OPERATORS)
@pytest.mark.parametrize(("name", "sigma"), RECURSIONS)
def test_image_is_the_recursion_s(name, sigma, operator_name, key):
    """Without fresh noise (η = 0) it is the dense steps' of x_T itself."""
    prior, problem, model = cases.noisy_case(operator_name, sigma)
    numbers = cases.guidance(eta=0.0)
    got, info = cases.sample(key, name, prior, problem, numbers)
    start = jax.random.normal(jax.random.split(key)[0], got.shape)
    reference, values = cases.METHODS[name][1], [float(v) for v in numbers]
    x_start = np.float64(start).ravel()
    want = dense.walk(reference, model, x_start, cases.levels(), values)
    np.testing.assert_allclose(np.ravel(got), want, atol=2e-4)
    assert info.finite.all()


@pytest.mark.parametrize(
    "name", [m for m in cases.METHODS if m not in ("mgdm_cg", *cases.UN_SQUARED)]
)
def test_mean_and_covariance(name, key):
    """Of ScoreMed and Score-MRI without the corrector, whose step depends on x."""
    prior, problem, _ = cases.gaussian_case("real")
    numbers = cases.guidance()
    if name in ("score_med", "score_mri"):
        numbers = cases.guidance(zeta=0.0, lam=0.8)
    mean, cov = theory(name, "real", numbers)
    keys = jax.random.split(key, N_SAMPLES)
    images = cases.samples(keys, name, prior, problem, numbers)
    flat = np.float64(images.reshape(N_SAMPLES, -1))
    error = np.sqrt(np.diag(cov) / N_SAMPLES)
    assert np.all(np.abs(flat.mean(0) - mean) < 4.5 * error + 1e-4)
    got = np.cov(flat.T)
    scale = np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
    assert np.abs((got - cov) / (scale + 1e-6)).max() < 6 / np.sqrt(N_SAMPLES)


def test_ddim_recovers_the_prior_as_steps_grow(key):
    """The bias of the unconditional sampler is the discretisation's: it vanishes."""
    prior, problem, model = cases.gaussian_case("real")
    keys, numbers = jax.random.split(key, N_SAMPLES), cases.guidance(eta=1.0)

    def error(steps):
        run = jax.vmap(
            lambda k: cases.run(k, "ddim", prior, problem, numbers, steps)[0]
        )
        flat = np.float64(jax.jit(run)(keys)).reshape(N_SAMPLES, -1)
        return np.abs(np.cov(flat.T) - model.cov).max()

    assert error(100) < 0.15 < 0.3 < error(4)


def test_mgdm_is_biased_towards_the_data_as_stated(key):
    """At λ → 0 the output meets the data exactly: its spread in the range is 0."""
    _, _, model = cases.gaussian_case("real")
    numbers = [float(v) for v in cases.guidance(lam=1e-7, rho=0.0)]
    mean, cov = dense.moments(dense.mgdm, model, cases.levels(), numbers)
    assert np.abs(model.matrix @ mean - model.y).max() < 1e-5
    assert np.abs(model.matrix @ cov @ model.matrix.T).max() < 1e-5
    prior, problem, _ = cases.gaussian_case("real")
    at_zero = cases.guidance(lam=0.0, rho=0.0)
    images = [
        np.ravel(cases.sample(k, "mgdm", prior, problem, at_zero)[0])
        for k in jax.random.split(key)
    ]
    for image in images:
        np.testing.assert_allclose(model.matrix @ image, model.y, atol=2e-5)
    assert np.abs(images[0] - images[1]).max() > 0.1
