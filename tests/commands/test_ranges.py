"""Numbers that make no sense are one line that names the field; nothing is written."""

import pytest
from bad_input import CONFIGS, check_refused, run_sample

from mgdm_jax import defaults
from mgdm_jax.commands import ranges
from mgdm_jax.training.defaults import prior_training

TRAINING = [
    ("train.n_steps", -1, "train.n_steps must be at least 1"),
    ("train.learning_rate", "nan", "train.learning_rate must be at least 0"),
    ("train.learning_rate", "inf", "train.learning_rate must be at most 1"),
    ("train.ema_decay", 2, "train.ema_decay must be at most 1"),
    ("train.warmup_steps", -1, "train.warmup_steps must be at least 0"),
    ("train.decay_share", 1.5, "train.decay_share must be at most 1"),
    ("train.log_every", 0, "train.log_every must be at least 1"),
    ("train.save_every", 0, "train.save_every must be at least 1"),
    ("train.validate_every", 0, "train.validate_every must be at least 1"),
    ("train.sample_every", -1, "train.sample_every must be at least 0"),
    ("train.batch_size", 0, "train.batch_size must be at least 1"),
    ("train.seed", -1, "train.seed must be at least 0"),
    ("data.n_validation", 0, "data.n_validation must be at least 1"),
    ("data.channels", 2, "must be data.channels=2, got 1 and 1"),
    ("units.scale", 0, "units.scale must be at least"),
    ("units.low", 1.5, "units.low must be below units.high"),
    ("loss.prediction", "zz", "loss.prediction must be eps or v or x0 or image"),
    ("loss.weight", "zz", "loss.weight must be eps or v"),
    ("loss.schedule", "zz", "schedule must be linear, cosine"),
    ("loss.time_power", -1, "loss.time_power must be at least 0"),
    ("network.image_size", 64, "the embedded sample has images of 120x120"),
    ("network.model_channels", 0, "network.model_channels must be a whole number"),
]

RUNS = [
    ("task.noise_std", "inf", "task.noise_std must be at most"),
    ("task.noise_std", "nan", "task.noise_std must be at least 0"),
    ("task.acceleration", "inf", "task.acceleration must be at most"),
    ("task.mask_seed", -1, "task.mask_seed must be at least 0"),
    ("sampler.travel_length", 6, "sampler.travel_length must be at most sampler.n_st"),
    ("sampler.seed", 2**63, "sampler.seed must be at most"),
    ("guidance.zeta", "inf", "guidance.zeta must be at most"),
    ("guidance.cg_steps", 0, "guidance.cg_steps must be at least 1"),
]


@pytest.mark.parametrize(("field", "value", "message"), TRAINING)
def test_a_training_of_no_sense(field, value, message, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    config = f"--config={CONFIGS}/priors/brain_t1.py:smoke"
    words = (config, "--workdir=out", f"--config.{field}={value}")
    check_refused(folder, "train", words, message)


@pytest.mark.parametrize(("field", "value", "message"), RUNS)
def test_a_run_of_no_sense(field, value, message, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    module, *words = run_sample(f"--config.{field}={value}")
    check_refused(folder, module, words, message)


def test_every_range_is_of_a_field():
    """A renamed field would lose its range without a word."""
    made = (defaults.reconstruction(), prior_training())
    for name in ranges.RANGES:
        section, field = name.split(".")
        assert any(section in one and field in one[section] for one in made), name
    for one in made:
        ranges.check(one)
