"""Bad fields, flags, sweeps and trainings: one line, exit code 2, nothing written."""

import numpy as np
import pytest
from bad_input import (
    CONFIGS,
    SIZE,
    a_table_of_its_own,
    another_sweep,
    arrays,
    check_row,
    finished,
    mri,
    nothing,
    reconstruct,
    run_sample,
    sweep,
    written,
)

BARE = """
from ml_collections import ConfigDict


def get_config():
    return ConfigDict({"sampler": {"n_steps": 5}})
"""

WHOLE = """
from mgdm_jax import defaults


def get_config():
    return defaults.reconstruction()
"""

LACKING = """
from mgdm_jax import defaults


def get_config():
    config = defaults.reconstruction()
    del config.data.n_images, config.sampler.eta
    return config
"""

MISSPELT = """
from mgdm_jax import defaults


def get_config():
    config = defaults.reconstruction()
    config.guidance.zetta = 1.0
    config.samples = 3
    return config
"""

ROWS = {
    "a configuration of few sections": (
        written("mine.py", BARE),
        ("run", "--config=mine.py"),
        "the configuration lacks data, guidance, method, name, prior and ",
    ),
    "a section of few fields": (
        written("mine.py", LACKING),
        ("run", "--config=mine.py"),
        "the configuration lacks data.n_images, sampler.eta; begin get_config() with",
    ),
    "a misspelt field": (
        written("mine.py", MISSPELT),
        ("run", "--config=mine.py"),
        "nothing reads: guidance.zetta (did you mean guidance.zeta?), samples (did you",
    ),
    "a misspelt field for a sweep": (
        written("mine.py", MISSPELT.replace("zetta", "xyz")),
        ("sweep", "--config=mine.py"),
        "sets what nothing reads: guidance.xyz, samples (did you mean sampler?); ",
    ),
    "a misspelt field for a training": (
        written(
            "mine.py",
            MISSPELT.replace("mgdm_jax import", "mgdm_jax.training import")
            .replace("reconstruction", "prior_training")
            .replace("config.guidance.zetta", "config.train.n_step"),
        ),
        ("train", "--config=mine.py"),
        "nothing reads: samples, train.n_step (did you mean train.n_steps?); correct",
    ),
    "a configuration of few sections for a sweep": (
        written("mine.py", BARE),
        ("sweep", "--config=mine.py"),
        "the configuration lacks data, guidance, method",
    ),
    "a configuration of few sections for a training": (
        written("mine.py", BARE.replace("sampler", "train")),
        ("train", "--config=mine.py"),
        "defaults.prior_training()",
    ),
    "a configuration of another type": (
        written("mine.py", "def get_config():\n    return {'sampler': 1}\n"),
        ("run", "--config=mine.py"),
        "get_config() must return a ConfigDict, got a dict; begin",
    ),
    "a configuration without its function": (
        written("mine.py", "config = 1\n"),
        ("run", "--config=mine.py"),
        "the configuration has no get_config() to return it.",
    ),
    "a configuration that is no Python": (
        written("mine.py", "def get_config(:\n"),
        ("run", "--config=mine.py"),
        "cannot be loaded: invalid syntax (mine.py, line 1); --debug shows where.",
    ),
    "a run's record": (
        written("config.json", '{"name": null}'),
        ("run", "--config=config.json"),
        "config.json is no configuration: give a .py file with get_config()",
    ),
    "a variant of what has none": (
        written("mine.py", WHOLE),
        ("run", "--config=mine.py:smoke"),
        "the configuration has no variants: its get_config() takes no argument",
    ),
    "no variant where one must be": (
        written("mine.py", WHOLE.replace("()", "(arg)", 1)),
        ("run", "--config=mine.py"),
        "the configuration wants a variant behind a colon",
    ),
    "unknown field": (
        nothing,
        run_sample("--config.sampler.nsteps=5"),
        "has no field 'nsteps'. Did you mean \"n_steps\"",
    ),
    "unknown section": (
        nothing,
        run_sample("--config.smapler.n_steps=5"),
        "has no field 'smapler'. Did you mean \"sampler\"",
    ),
    "field of a number": (
        nothing,
        run_sample("--config.sampler.n_steps.x=5"),
        "the configuration has no such field",
    ),
    "field of a text": (
        nothing,
        run_sample("--config.name.x=2"),
        "the configuration has no such field: string indices",
    ),
    "field of a tuple": (
        nothing,
        run_sample("--config.tuned.mgdm.any.x=2"),
        "the configuration has no such field: tuple indices",
    ),
    "value of another type": (
        nothing,
        run_sample("--config.sampler.n_steps=many"),
        "n_steps",
    ),
    "no such configuration": (
        nothing,
        ("run", "--config=configs/absent.py"),
        "absent.py",
    ),
    "no steps": (
        nothing,
        run_sample("--config.sampler.n_steps=0"),
        "n_steps must be at least 1",
    ),
    "no images": (
        nothing,
        run_sample("--config.data.n_images=0"),
        "n_images must be at least 1",
    ),
    "no batch": (nothing, run_sample("--config.sampler.batch_size=-1"), "batch_size"),
    "noise below nought": (
        nothing,
        run_sample("--config.task.noise_std=-0.1"),
        "noise_std",
    ),
    "eta above one": (nothing, run_sample("--config.sampler.eta=1.5"), "eta"),
    "acceleration below one": (
        nothing,
        run_sample("--config.task.acceleration=0.5"),
        "acceleration must be at least 1",
    ),
    "an unknown method": (nothing, run_sample("--config.method=mgmd"), "mgmd"),
    "another dtype": (
        nothing,
        run_sample("--config.prior.dtype=half"),
        "prior.dtype must be float32 or bfloat16",
    ),
    "a flag that is none": (nothing, run_sample("--n_steps=5"), "n_steps"),
    "a configuration's variant": (
        nothing,
        ("run", f"--config={CONFIGS}/mri_brats.py:big"),
        "variants are :smoke, :demo and, of the",
    ),
    "a word too much": (nothing, run_sample("extra"), "extra"),
    "a sweep of nothing": (mri(), sweep(), "nothing to sweep"),
    "a sweep of what the method ignores": (
        mri(),
        sweep("--config.method=ddnm", "--config.sweep.lam=(0.1,1)"),
        "sweep.lam would change nothing: ddnm uses eta.",
    ),
    "a sweep of what the method ignores without noise": (
        mri(),
        sweep("--config.method=diffpir", "--config.sweep.lam=(1,7)"),
        "sweep.lam would change nothing: diffpir without noise uses eta.",
    ),
    "a sweep below nought": (
        mri(),
        sweep("--config.sweep.zeta=(0.1,-1)"),
        "sweep.zeta must hold numbers that are not negative",
    ),
    "a sweep of words": (mri(), sweep("--config.sweep.lam=abc"), "sweep.lam must hold"),
    "a sweep of halves of steps": (
        mri(),
        sweep("--config.sweep.n_steps=2.5"),
        "n_steps must hold whole numbers",
    ),
    "a sweep of too many steps": (
        mri(reference=np.ones((1, SIZE, SIZE))),
        sweep("--config.sweep.n_steps=(2,1001)"),
        "n_steps must lie",
    ),
    "an empty range": (
        mri(),
        sweep("--config.sweep.strategy=random", "--config.sweep.zeta=(1,0.1)"),
        "low below high",
    ),
    "an unknown strategy": (
        mri(),
        sweep("--config.sweep.strategy=magic", "--config.sweep.zeta=1"),
        "sweep.strategy must be one of grid, random, bayesian",
    ),
    "no candidates": (
        mri(),
        sweep("--config.sweep.n_trials=0", "--config.sweep.zeta=1"),
        "sweep.n_trials must be at least 1",
    ),
    "a sweep without references": (
        mri(),
        sweep("--config.sweep.zeta=1"),
        "has no reference to compare with",
    ),
    "the folder of another sweep": (
        another_sweep,
        sweep("--config.sweep.zeta=1"),
        "holds another sweep",
    ),
    "the folder of a table": (
        a_table_of_its_own,
        sweep("--config.sweep.zeta=1"),
        "no table of a sweep",
    ),
    "the folder of a run": (
        finished,
        sweep("--config.sweep.zeta=1"),
        "holds a finished run",
    ),
    "samples below one": (
        arrays(),
        reconstruct("--kspace=k.npy", "--n-samples=0"),
        "n_samples",
    ),
    "more steps than the prior has": (
        arrays(),
        reconstruct("--kspace=k.npy", "--n-steps=5000"),
        "--n-steps must be at most 1000",
    ),
    "training on nothing": (
        nothing,
        ("train", f"--config={CONFIGS}/priors/brain_t1.py:paper", "--workdir=out"),
        "give --config.data.path",
    ),
    "training on a scan": (
        mri(),
        (
            "train",
            f"--config={CONFIGS}/priors/brain_t1.py:paper",
            "--workdir=out",
            "--config.data.path=scan.h5",
        ),
        "holds no prepared images",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_bad_input_is_one_line(name, tmp_path, tiny_priors):
    check_row(ROWS[name], tmp_path, tiny_priors)
