"""Several devices give what one gives; two CPU devices need a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMON = """
import re

import jax
import numpy as np
import pytest
import tiny
from mgdm_jax import devices, factory, methods, reconstruction, train
from mgdm_jax.networks import unet
from mgdm_jax.types import Guidance
import test_configs
import test_train

assert jax.device_count() == 2
one, two = jax.devices()[:1], jax.devices()


def close(a, b):
    for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), atol=2e-5)


"""

TRAINING = """
def trained(on):
    run = train.build(test_train.tiny_config(), on)
    images = np.random.default_rng(0).uniform(size=(2, 120, 120, 1))
    placed = run.place(images.astype(np.float32))
    assert len(placed.addressable_shards) == len(on)
    assert placed.addressable_shards[0].data.shape[0] == 2 // len(on)
    state, loss = run.train_step(run.state, placed)
    return loss, state.ema_params


close(trained(one), trained(two))
config = test_train.tiny_config()
config.train.batch_size = 3
with pytest.raises(ValueError, match="multiple of the 2 devices"):
    train.build(config, two)
"""

SAMPLING = """
config = test_configs.load(test_configs.ROOT / "mri_brats.py", "smoke")
config.sampler.n_steps = 2
spec = tiny.spec()
params = unet.initialise(unet.UNetConfig.from_fields(spec.network), jax.random.key(0))
prior = factory.build_prior(spec, params)
data = factory.load_measurements(config, prior.image_shape)
sampler = factory.make_sampler(prior, methods.make_step(config), prior.grid(2))
guidance = Guidance.of(zeta=0.5, lam=0.1, rho=0.01, eta=0.85)
keys = jax.random.split(jax.random.key(0), len(data))


def images(on):
    run = jax.jit(reconstruction.batched(sampler, data.axes, devices.mesh(on)))
    inputs = keys, prior.params, data.problem(np.arange(len(data))), guidance
    compiled = run.lower(*inputs).compile()
    assert "fft(" in compiled.as_text()
    assert not re.search("all-|collective|reduce-scatter", compiled.as_text())
    return compiled(*inputs)


close(images(one), images(two))
done = reconstruction.reconstruct(
    jax.random.key(0), sampler, prior, data, guidance, batch_size=1
)
close(done.images, images(one)[0])
"""


SWEEPING = """
from mgdm_jax import sweeps
from mgdm_jax.sweeping import evaluation

numbers = sweeps.grid(zeta=(0.1, 0.5), lam=(0.1, 0.2), rho=(0.01,), eta=(0.85,))


def outcomes(on):
    run = evaluation.compiled(sampler, data, devices.mesh(on), "psnr", None)
    keys = jax.random.split(jax.random.key(0), len(data))
    problems, references = data.problem(np.arange(len(data))), data.reference
    inputs = keys, prior.params, problems, None, references, numbers
    compiled = run.lower(*inputs).compile()
    assert not re.search("all-|collective|reduce-scatter", compiled.as_text())
    return compiled(*inputs)


close(outcomes(one), outcomes(two))
evaluate = evaluation.make(
    jax.random.key(0), sampler, prior, data, n_candidates=3, n_images=1
)
close(evaluate(jax.tree.map(lambda v: v[:3], numbers)),
      jax.tree.map(lambda v: v[:3], outcomes(one)))
"""


@pytest.mark.parametrize(
    "script", [TRAINING, SAMPLING + SWEEPING], ids=["train", "sample and sweep"]
)
def test_two_devices_are_as_one(script):
    run_with_two_devices(COMMON + script)


def run_with_two_devices(script):
    folder = Path(__file__).parent
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"}
    environment["PYTHONPATH"] = f"{folder}:{folder.parent}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
