"""What is said of a reconstruction is true of the images that come out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from mgdm_jax import factory, hyperparameters, reconstruction


@pytest.mark.parametrize("method", ["mgdm", "dps"])
def test_data_residual_is_that_of_the_images(method, tmp_path, key):
    """Both end with a gradient step, after the estimate that the steps report on."""
    config = load(ROOT / "mri_brats.py", "smoke")
    config.method, config.prior.path = method, tiny.write_prior(tmp_path)
    config.sampler.n_steps = 2
    config.guidance.zeta, config.guidance.lam = 2.0, 0.1
    config.guidance.rho, config.sampler.eta = 0.3, 0.85
    prior, measured, sampler = factory.build(config)
    guidance = hyperparameters.resolve(config)
    done = reconstruction.reconstruct(key, sampler, prior, measured, guidance, 2)
    forward = jax.vmap(measured.operator.forward)
    misfit = measured.measurement - forward(jnp.asarray(done.images))
    norms = [
        np.linalg.norm(y.reshape(2, -1), axis=1)
        for y in map(np.asarray, (misfit, measured.measurement))
    ]
    np.testing.assert_allclose(done.data_residual, norms[0] / norms[1], rtol=1e-4)
    assert np.abs(done.info.data_residual[:, -1] / done.data_residual - 1).max() > 1e-3
    assert not done.diverged.any()
