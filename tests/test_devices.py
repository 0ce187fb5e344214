"""Several devices give what one gives; eight of a CPU need a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import command_server
import jax
import pytest
import tiny

from mgdm_jax.commands import launch

COMMON = """
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from mgdm_jax import analytic, devices, factory, methods, reconstruction, train
from mgdm_jax.networks import unet
from mgdm_jax.types import Guidance
import test_configs
import test_train

assert jax.device_count() == 8
one, eight = jax.devices()[:1], jax.devices()


def close(a, b):
    for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), atol=2e-5)


"""

TRAINING = """
def trained(on):
    config = test_train.tiny_config()
    config.train.batch_size = 8
    run = train.build(config, on)
    images = np.random.default_rng(0).uniform(size=(8, 120, 120, 1))
    placed = run.place(images.astype(np.float32))
    assert len(placed.addressable_shards) == len(on)
    assert placed.addressable_shards[0].data.shape[0] == 8 // len(on)
    state, loss = run.train_step(run.state, placed)
    return loss, state.ema_params


close(trained(one), trained(eight))
config = test_train.tiny_config()
config.train.batch_size = 3
with pytest.raises(ValueError, match="multiple of the 8 devices"):
    train.build(config, eight)
"""

SAMPLING = """
config = test_configs.load(test_configs.ROOT / "mri_brats.py", "smoke")
config.sampler.n_steps, config.data.n_images = 2, 8
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


close(images(one), images(eight))
done = reconstruction.reconstruct(
    jax.random.key(0), sampler, prior, data, guidance, batch_size=1
)
close(done.images, images(one)[0])
"""


SWEEPING = """
from mgdm_jax import sweeps
from mgdm_jax.sweeping import evaluation

few = data.take(np.arange(4))
prior = prior._replace(  # compiles in less time than a network
    denoise=analytic.stationary_denoiser,
    params=analytic.StationaryGaussian(jnp.full((120, 120), 0.2), jnp.ones((120, 120))),
)
sampler = factory.make_sampler(prior, methods.make_step(config), prior.grid(2))
numbers = sweeps.grid(zeta=(0.1, 0.5), lam=(0.1,), rho=(0.0, 0.01), eta=(0.85,))


def outcomes(mesh):
    run = evaluation.compiled(sampler, few, mesh, "psnr", None)
    keys = jax.random.split(jax.random.key(0), len(few))
    problems = few.problem(np.arange(len(few)))
    inputs = keys, prior.params, problems, None, few.reference, numbers
    compiled = run.lower(*inputs).compile()
    assert not re.search("all-|collective|reduce-scatter", compiled.as_text())
    return compiled(*inputs)


for n_candidates, n_images, shape in (
    (4, 8, (4, 2)), (3, 8, (1, 8)), (9, 9, (4, 2)), (6, 16, (2, 4)), (3, 2, (3, 2)),
):
    assert devices.table(n_candidates, n_images).devices.shape == shape
want = outcomes(devices.table(1, 1))
close(want, outcomes(devices.table(4, 8)))
alone = data.take(np.array([0]))
done = reconstruction.reconstruct(
    jax.random.key(0), sampler, prior, alone, guidance, batch_size=4
)
assert reconstruction.stride(4, 1) == 1 and reconstruction.stride(9, 9) == 16
on_one = jax.jit(reconstruction.batched(sampler, alone.axes, devices.mesh(one)))
first = alone.problem(np.array([0]))
inputs = jax.random.split(jax.random.key(0), 1), prior.params, first
close(done.images, on_one(*inputs, guidance)[0])
evaluate = evaluation.make(
    jax.random.key(0), sampler, prior, few, n_candidates=3, n_images=5
)
close(evaluate(jax.tree.map(lambda v: v[:3], numbers)),
      jax.tree.map(lambda v: v[:3], want))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "script", [TRAINING, SAMPLING + SWEEPING], ids=["train", "sample and sweep"]
)
def test_eight_devices_are_as_one(script):
    run_with_eight_devices(COMMON + script)


@pytest.mark.skipif(jax.config.jax_num_cpu_devices >= 0, reason="somebody has said")
@pytest.mark.parametrize(
    ("cores", "batch", "count"),
    [(1, 4, 1), (2, 4, 2), (3, 4, 2), (64, 4, 4), (4, 6, 3), (8, 1, 1), (8, 0, 1)],
)
def test_a_cpu_becomes_devices_that_share_a_batch(cores, batch, count, monkeypatch):
    said = {}
    monkeypatch.setattr(launch, "_cores", lambda: cores)
    monkeypatch.setattr(jax.config, "update", said.__setitem__)
    launch.use_cores(batch)
    assert said == {"jax_num_cpu_devices": count}


def test_what_somebody_has_said_of_devices_stands(monkeypatch):
    monkeypatch.setattr(jax.config, "update", lambda *_: pytest.fail("was changed"))
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    launch.use_cores(4)


def test_a_command_uses_as_many_cores_as_it_has_images(tmp_path):
    prior = tiny.write_prior(tmp_path, 120)
    words = ["--config=mri_brats:smoke", f"--config.prior.path={prior}"]
    for n in (1, 2):
        out = tmp_path / f"out{n}"
        of_n = [*words, f"--config.data.n_images={n}", f"--workdir={out}"]
        done = command_server.run("run", *of_n, cwd=tmp_path)
        assert done.code == 0, done.err
        environment = json.loads((out / "environment.json").read_text())
        assert len(environment["devices"]) == min(n, launch._cores())


def run_with_eight_devices(script):
    folder = Path(__file__).parent
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": "8",
        "JAX_PLATFORMS": "cpu",
    }
    environment["PYTHONPATH"] = f"{folder}:{folder.parent}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
