"""Saves that were damaged, or cut short: a training goes on from the one before."""

import logging

import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mgdm_jax.training import checkpoints
from mgdm_jax.training.steps import TrainState


def state_at(step):
    values = jnp.linspace(0, step, 1000).reshape(10, 100)
    return TrainState(
        step=jnp.int32(step),
        key=jax.random.key(step),
        params={"a": values, "c": {"b": values + 1}},
        ema_params={"a": values, "c": {"b": values + 2}},
        opt_state=(jnp.int32(step), {"a": values**2}),
    )


def batches_at(step):
    """Return an iterator with this many batches taken."""
    iterator = iter(grain.MapDataset.range(1000).batch(2).to_iter_dataset())
    for _ in range(step):
        next(iterator)
    return iterator


@pytest.fixture
def folder(tmp_path):
    saves = checkpoints.Checkpoints(tmp_path / "saves")
    for step in (2, 4):
        saves.save(state_at(step), batches_at(step))
    saves.close()
    return tmp_path / "saves"


def restored(folder):
    """Return the step gone on from, once everything else of it is checked."""
    saves, batches = checkpoints.Checkpoints(folder), batches_at(0)
    state = saves.restore(state_at(0), batches)
    saves.close()
    if state is None:
        return None
    step = int(state.step)
    for a, b in zip(*map(jax.tree.leaves, (state, state_at(step))), strict=True):
        assert (a == b).all()
    np.testing.assert_array_equal(next(batches), [2 * step, 2 * step + 1])
    return step


def flip(path):
    values = bytearray(path.read_bytes())
    values[len(values) // 2] ^= 1
    path.write_bytes(values)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [flip, cut])
def test_the_save_before_a_damaged_one_is_gone_on_from(damage, folder, caplog):
    assert restored(folder) == 4
    files = [p for p in (folder / "4" / "state").rglob("*") if p.is_file()]
    damage(max(files, key=lambda path: path.stat().st_size))
    with caplog.at_level(logging.WARNING):
        assert restored(folder) == 2
    messages = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert messages == ["checkpoint 4 is damaged: going on from 2"]
    assert [p.name for p in folder.iterdir()] == ["2"]
    saves = checkpoints.Checkpoints(folder)
    saves.save(state_at(4), batches_at(4))
    saves.close()
    assert restored(folder) == 4


def test_no_file_of_a_save_is_damaged_unseen(folder):
    saved = folder / "4"
    files = [p for p in saved.rglob("*") if p.is_file() and p.stat().st_size]
    assert len(files) > 8
    for path in files:
        for damage in (flip, cut, lambda path: path.unlink()):
            if (path.name, damage.__name__) == (checkpoints.DIGEST, "<lambda>"):
                continue
            before = path.read_bytes()
            damage(path)
            assert not checkpoints._is_whole(folder, 4, [4, 2]), path
            path.write_bytes(before)
    assert checkpoints._is_whole(folder, 4, [4, 2])


def test_where_all_are_damaged_it_is_said(folder):
    for step in (2, 4):
        cut(folder / f"{step}" / "state" / "manifest.ocdbt")
    with pytest.raises(ValueError, match="are damaged; remove it to begin anew"):
        restored(folder)
    assert {p.name for p in folder.iterdir()} == {"2", "4"}


def test_a_save_killed_before_its_digest_is_not_trusted(folder):
    (folder / "4" / checkpoints.DIGEST).write_text("")
    assert restored(folder) == 2


def test_saves_of_an_earlier_version_are_read(folder):
    for step in (2, 4):
        (folder / f"{step}" / checkpoints.DIGEST).unlink()
    assert restored(folder) == 4


def test_what_a_kill_left_of_a_save_is_removed(folder):
    (folder / "4").rename(folder / "4.orbax-checkpoint-tmp")
    (folder / "4.orbax-checkpoint-tmp" / "commit_success.txt").unlink()
    assert restored(folder) == 2
    assert [p.name for p in folder.iterdir()] == ["2"]
