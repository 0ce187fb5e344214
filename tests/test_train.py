"""A training that is killed and started again ends in the very same bits."""

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import command_server
import jax
import numpy as np
import pytest
import tiny

from mgdm_jax import fingerprints, priors, train
from mgdm_jax.data import pipelines
from mgdm_jax.training import (
    checkpoints,
    continuing,
    defaults,
    log,
    sources,
    specs,
    steps,
    unconditional,
)


def tiny_config():
    config = defaults.shorten(defaults.prior_training())
    config.data.subjects = "mni152"
    config.data.held_back = ""
    config.network.channel_mult = (1.0,)
    config.network.patch = 8
    config.train.log_every = 1
    config.train.validate_every = 3  # and at the last step, 4
    config.train.sample_every = 0
    return config


def train_to_the_end(config, workdir):
    # optax mixes counts with floats.
    with jax.numpy_dtype_promotion("standard"):
        return train.train(config, workdir)


def saved(config, template, workdir):
    """Return the newest saved state, the position in the data, and the next batch."""
    dataset = pipelines.training_dataset(
        sources.make_source(config), batch_size=config.train.batch_size
    )
    batches = iter(dataset)
    saves = checkpoints.Checkpoints(workdir / "checkpoints")
    state = saves.restore(template, batches)
    saves.close()
    state = state._replace(key=jax.random.key_data(state.key))
    return state, batches.get_state(), next(batches)


@pytest.fixture
def compile_quickly():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


KILLED_AT_THREE = """
import os
import pathlib
import signal
import sys

import jax
import test_train
from mgdm_jax import train
from mgdm_jax.training import log, steps

append = log.append


def append_or_die(path, row, columns):
    append(path, row, columns)
    if row["step"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)


log.append = append_or_die
steps.LEVELS = (250,)
jax.config.update("jax_disable_most_optimizations", True)
test_train.train_to_the_end(test_train.tiny_config(), pathlib.Path(sys.argv[1]))
"""
"""The third step was taken and logged, step 2 is the last one saved."""


def kill_at_three(workdir):
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THREE, str(workdir)],
        env=os.environ | {"PYTHONPATH": f"{folder}:{folder.parent}"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [p.name for p in (workdir / "checkpoints").glob("?")] == ["2"]


@pytest.mark.long
@pytest.mark.usefixtures("compile_quickly")
def test_resuming_after_a_kill_is_exact(tmp_path, monkeypatch):
    config = tiny_config()
    config.train.sample_every = 4
    monkeypatch.setattr(steps, "LEVELS", (250,))
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    kill_at_three(resumed)
    files = [train_to_the_end(config, folder) for folder in (straight, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()
    template = train.build(config).state
    states = [saved(config, template, folder) for folder in (straight, resumed)]
    assert int(states[0][0].step) == 4
    for a, b in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_array_equal(a, b)
    lines = (resumed / "metrics.csv").read_bytes().splitlines(keepends=True)
    assert {line[-2:] for line in lines} == {b"\r\n"}
    rows = [read_rows(folder / "metrics.csv") for folder in (straight, resumed)]
    assert len(rows[0]) == 4 and rows[0] == rows[1]
    assert [bool(row["train_t250"]) for row in rows[0]] == [False, False, True, True]
    check_prior(files[0], states[0][0])
    assert [p.name for p in (straight / "samples").iterdir()] == ["0000004.png"]
    check_that_fewer_steps_change_nothing(straight)


@pytest.mark.usefixtures("compile_quickly")
def test_what_a_checkpoint_calls_finished_has_its_prior(tmp_path, monkeypatch):
    config = tiny_config()
    config.train.n_steps = config.train.save_every = 2

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints.Checkpoints, "save", die)
        train_to_the_end(config, tmp_path)
    assert priors.load(str(tmp_path / "prior.safetensors"))[0].training["steps"] == 2


@pytest.mark.usefixtures("compile_quickly")
def test_every_grid_of_a_training_is_drawn_by_one_program(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "LEVELS", (250,))
    config, made, drawn = tiny_config(), [], []
    config.train.n_steps, config.train.sample_every = 2, 1

    def make_grid(spec):
        made.append(spec)
        return lambda _, path: drawn.append(path.name)

    monkeypatch.setattr(unconditional, "make_grid", make_grid)
    train_to_the_end(config, tmp_path)
    assert len(made) == 1 and drawn == ["0000001.png", "0000002.png"]


@pytest.mark.parametrize("written", ["", "step,lo", "step,loss,seconds\r\n1"])
def test_a_row_cut_short_comes_again(written, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(written, newline="")
    log.forget_after(path, 12)
    log.append(path, {"step": 12, "loss": 1.0, "seconds": 2.0}, ())
    assert path.read_bytes() == b"step,loss,seconds\r\n12,1.0,2.0\r\n"


def check_that_fewer_steps_change_nothing(workdir):
    """Its training is finished: a rerun says so, and keeps its own config.json."""
    config = workdir.with_name("fewer.py")
    config.write_text(FEWER_STEPS)
    before = {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()}
    words = ("train", f"--config={config}", f"--workdir={workdir}")
    done = command_server.run(*words, cwd=workdir)
    path = workdir / "prior.safetensors"
    assert done.code == 0, done.err
    assert done.out == f"already finished: {path} has 4 steps of 3\n"
    told = command_server.run(*words, "--log-format=json", cwd=workdir).out
    start, result = map(json.loads, told.splitlines())
    assert (start["event"], result["event"]) == ("start", "result")
    assert result["steps_taken"] == 0
    assert {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()} == before


FEWER_STEPS = """
from mgdm_jax.training import defaults


def get_config():
    config = defaults.shorten(defaults.prior_training())
    config.data.subjects, config.data.held_back = "mni152", ""
    config.network.channel_mult, config.network.patch = (1.0,), 8
    config.train.n_steps = 3
    return config
"""


def test_another_training_is_refused(tmp_path):
    """Its checkpoints would fit, and go on with other data, or for another loss."""
    config = tiny_config()
    fingerprints.keep(tmp_path / continuing.CONFIG, config)
    config.train.n_steps, config.train.save_every = 7, 1
    continuing.check(tmp_path, config)
    config.data.subjects = "s1"
    message = r"another training: data\.subjects is 's1', was 'mni152'; give another"
    with pytest.raises(ValueError, match=message):
        train.train(config, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize("field", ["subjects", "held_back"])
def test_bad_input_writes_nothing(field, tmp_path):
    config = tiny_config()
    config.data[field] = "nobody"
    with pytest.raises(ValueError, match="nobody") as caught:
        train.train(config, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_prior_remembers_whom_its_donor_met(tmp_path):
    config = tiny_config()
    donor = tiny.write_prior(tmp_path, training={"subjects": "s1,s1,mni152"})
    config.init, config.data.subjects = donor, "itk_mprage"
    spec = specs.make(config)
    assert spec.training["subjects"] == "itk_mprage"
    assert priors.met(spec) == ["itk_mprage", "mni152", "s1"]


@pytest.mark.usefixtures("compile_quickly")
def test_a_training_goes_on_without_its_donor(tmp_path, monkeypatch):
    """What it took from there lies in its checkpoints and its prior."""
    monkeypatch.setattr(steps, "LEVELS", (250,))
    config = tiny_config()
    facts = dataclasses.replace(
        specs.make(config), training={"subjects": "s1"}, name="donor"
    )
    weights = train.build(config).state.params
    donor = tmp_path / "donor.safetensors"
    priors.save(donor, facts, jax.device_get(weights))
    config.init, config.train.n_steps = str(donor), 2
    out = tmp_path / "out"
    path = train_to_the_end(config, out)
    donor.unlink()
    config.train.n_steps = 3
    train_to_the_end(config, out)
    spec, _ = priors.load(path)
    assert spec.training == {
        "subjects": "mni152",
        "met": "mni152,s1",
        "started_from": str(donor),
        "steps": 3,
    }
    # Where it is gone it is written anew, from the checkpoint and the donor's facts.
    path.unlink()
    with pytest.raises(ValueError, match="no prior"):
        train_to_the_end(config, out)
    priors.save(donor, facts, jax.device_get(weights))
    assert priors.load(train_to_the_end(config, out))[0] == spec


@pytest.mark.usefixtures("compile_quickly")
def test_a_training_that_diverges_keeps_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "LEVELS", (250,))
    config = tiny_config()
    config.train.learning_rate, config.train.n_steps = 1e-3, 2
    path = train_to_the_end(config, tmp_path)
    before = path.read_bytes()
    config.train.n_steps = 6
    place = train.Run.join
    monkeypatch.setattr(train.Run, "join", lambda run, part: place(run, part * np.nan))
    with pytest.raises(ValueError, match="the loss is not finite by step 3"):
        train_to_the_end(config, tmp_path)
    assert path.read_bytes() == before
    assert checkpoints.newest_step(tmp_path / "checkpoints") == 2


def read_rows(path):
    with path.open(newline="") as file:
        return [row | {"seconds": None} for row in csv.DictReader(file)]


def check_prior(path, state):
    """What is shipped is the moving average, with its facts."""
    spec, params = priors.load(path)
    assert spec.training["steps"] == 4 and spec.name == "brain_t1"
    assert priors.met(spec) == ["mni152"]
    ema = jax.tree.map(lambda v: np.float16(v), state.ema_params)
    for a, b in zip(*map(jax.tree.leaves, (params, ema)), strict=True):
        np.testing.assert_array_equal(a, b)
