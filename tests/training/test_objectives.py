"""What a supervised training minimises, and what its network then does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from experiments import supervised_unet
from mgdm_jax import factory, priors, simulate, train
from mgdm_jax.data import plain_slices
from mgdm_jax.guidance import proximal
from mgdm_jax.networks import unet
from mgdm_jax.training import objectives, supervised
from mgdm_jax.types import Problem


def add_half(params, x, t):
    assert t.shape == x.shape[:1] and t.dtype == jnp.int32
    return params * jnp.ones_like(x)


def test_the_network_adds_to_the_baseline(key):
    baseline = jax.random.normal(key, (2, 4, 5, 1))
    got = supervised.restore(add_half, jnp.float32(0.5), baseline)
    np.testing.assert_allclose(got, baseline + 0.5, rtol=1e-6)


@pytest.mark.parametrize(("kind", "channels"), [("mri_real", 1), ("mri_complex", 2)])
def test_supervised_loss_is_the_error_of_the_restored_baseline(kind, channels, key):
    config = load(ROOT / "supervised/brain_t1_8x.py", "smoke")
    config.task.kind, config.network.image_size = kind, 24
    config.network.in_channels = config.network.out_channels = channels
    objective = objectives.make(config, add_half)
    clean = np.random.default_rng(0).uniform(size=(2, 24, 24, channels))
    images = jnp.asarray(2 * clean - 1, jnp.float32)
    got = jax.jit(objective.loss)(jnp.float32(0.5), images, key)
    shape = (24, 24) if channels == 1 else (24, 24, 2)
    operator, _ = simulate.make_operator(config.task, shape)
    baseline = jax.vmap(lambda x: operator.baseline(operator.forward(x)))(
        jnp.asarray(clean.reshape(2, *shape), jnp.float32)
    )
    restored = 2 * np.reshape(baseline, images.shape) - 1 + 0.5
    want = float(np.mean((restored - images) ** 2))
    assert float(got) == pytest.approx(want, rel=1e-4)
    values = jax.jit(objective.evaluate)(jnp.float32(0.5), images)
    assert values.shape == (len(objective.columns),)
    np.testing.assert_allclose(values[0], got, rtol=1e-6)


def test_a_supervised_training_logs_its_error(tmp_path):
    config = load(ROOT / "supervised/brain_t1_8x.py", "smoke")
    config.network.channel_mult, config.network.patch = (1.0,), 8
    with jax.numpy_dtype_promotion("standard"):
        train.train(config, tmp_path)
    header, *rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header == "step,loss,seconds,val_mse,train_mse"
    assert len(rows) == 2 and float(rows[-1].split(",")[-1]) > 0
    with pytest.raises(ValueError, match="prediction must be eps or v"):
        factory.load_prior(str(tmp_path / "prior.safetensors"))


def test_a_supervised_training_refuses_to_draw():
    config = load(ROOT / "supervised/brain_t1_8x.py", "smoke")
    config.train.sample_every = 2
    with pytest.raises(ValueError, match=r"train\.sample_every"):
        objectives.make(config, add_half)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task.noise_std": 0.1}, "noiseless"),
        ({"task.kind": "mri_complex"}, "needs a prior of 2 channels"),
    ],
)
def test_tasks_that_it_would_not_learn_are_refused(change, message):
    config = load(ROOT / "supervised/brain_t1_8x.py", "smoke")
    config.update_from_flattened_dict(change)
    with pytest.raises(ValueError, match=message):
        objectives.make(config, add_half)


def test_a_training_without_a_task_is_refused():
    config = load(ROOT / "priors/brain_t1.py", "smoke")
    config.loss.prediction, config.train.sample_every = "image", 0
    with pytest.raises(ValueError, match="configs/supervised"):
        objectives.make(config, add_half)


def test_a_prior_is_no_supervised_network(tmp_path):
    config = load(ROOT / "mri_brats.py", "smoke")
    config.prior.path = tiny.write_prior(tmp_path, 120, 1)
    with pytest.raises(ValueError, match="no supervised network"):
        supervised_unet.reconstruct(config)


def test_supervised_images_meet_the_data(tmp_path):
    config = load(ROOT / "mri_brats.py", "smoke")
    facts = dataclasses.replace(tiny.spec(), prediction="image")
    network = unet.UNetConfig.from_fields(facts.network)
    config.prior.path = str(tmp_path / "net.safetensors")
    weights = unet.initialise(network, jax.random.key(0))
    # Fresh networks put out zero; this one adds 0.3 in network units.
    weights["out"][1]["bias"] = weights["out"][1]["bias"] + 0.3
    priors.save(config.prior.path, facts, weights)
    reference, images = supervised_unet.reconstruct(config)
    measured = factory.load_measurements(config, (120, 120))
    slices = plain_slices.validation_slices("brain", "colin27", 2, split="test")
    np.testing.assert_array_equal(reference, slices[..., 0])
    y = jax.vmap(measured.operator.forward)(jnp.asarray(images))
    np.testing.assert_allclose(y, measured.measurement, atol=1e-4)
    operator = measured.operator
    added = np.full((120, 120), 0.15, np.float32)
    baseline = jax.vmap(operator.baseline)(measured.measurement)
    want = jax.vmap(
        lambda x, y: proximal.exact(Problem(operator, y), x + added, jnp.float32(0))
    )(baseline, measured.measurement)
    np.testing.assert_allclose(images, want, atol=1e-3)
    assert np.abs(images - baseline).max() > 1e-3
