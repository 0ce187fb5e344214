"""Finished batches on disk: what is written is read, anything else is told apart."""

import dataclasses
import errno
import json

import numpy as np
import pytest
import tiny

from mgdm_jax import defaults, factory, run
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import radon
from mgdm_jax.reconstruction import Reconstruction
from mgdm_jax.running import parts
from mgdm_jax.running.parts import Part
from mgdm_jax.storage import locks
from mgdm_jax.types import StepInfo

FACTS = {"config": {"method": "mgdm", "sampler": {"seed": 0}}, "weights": "abc"}
BATCH = range(4, 6)


def part(rng, x0_hat=None):
    steps = rng.normal(size=(2, 2, 3)).astype("f4")
    result = Reconstruction(
        images=rng.normal(size=(2, 4, 4)).astype("f4"),
        baseline=rng.normal(size=(2, 4, 4)).astype("f4"),
        data_residual=rng.normal(size=2).astype("f4"),
        diverged=np.array([False, True]),
        info=StepInfo(*steps, finite=np.ones((2, 3), bool)),
        x0_hat=x0_hat,
    )
    return Part(result, 1.5)


@pytest.mark.parametrize("strip", [None, np.ones((3, 4, 4), "f4")])
def test_what_is_written_is_read_bit_for_bit(strip, tmp_path, rng):
    want = part(rng, strip)
    with parts.opened(tmp_path / "out", FACTS, lambda: 2) as kept:
        assert kept.read(BATCH) is None and not kept.present()
        kept.write(BATCH, want)
    with parts.opened(tmp_path / "out", FACTS, lambda: 8) as kept:
        assert kept.stride == 2  # of the first start
        got = kept.read(BATCH)
        assert got is not None and got.seconds == 1.5
        assert (got.result.x0_hat is None) == (strip is None)
        for a, b in zip(got.result[:4], want.result[:4], strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        for a, b in zip(got.result.info[:3], want.result.info[:3], strict=True):
            np.testing.assert_array_equal(a, b)
        kept.remove()
    assert not list(tmp_path.iterdir())


def test_without_locks_nothing_is_left(tmp_path, monkeypatch):
    def unlocked(file, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", unlocked)
    folder = tmp_path / "out" / parts.FOLDER
    message = rf"{folder}/\.lock cannot be locked"
    with pytest.raises(ValueError, match=message):
        parts.check_nobody(folder)
    with (
        pytest.raises(ValueError, match=message),
        parts.opened(folder, FACTS, lambda: 2),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_run_at_work_is_seen_before_anything_of_its_is_touched(tmp_path):
    folder = tmp_path / parts.FOLDER
    parts.check_nobody(folder)
    with parts.opened(folder, FACTS, lambda: 2) as kept:
        kept.note("left-1")
        with pytest.raises(ValueError, match="another process is at work"):
            run.run(defaults.reconstruction(), tmp_path)
        assert parts.noted(folder, "left-1")
    parts.check_nobody(folder)


def test_a_damaged_part_is_none(tmp_path, rng):
    with parts.opened(tmp_path, FACTS, lambda: 2) as kept:
        kept.write(BATCH, part(rng))
        path = kept.path(BATCH)
        whole = path.read_bytes()
        middle = len(whole) // 2
        flipped = bytes([whole[middle] ^ 1])
        for damaged in (
            b"",
            whole[:middle],
            whole[:middle] + flipped + whole[middle + 1 :],
        ):
            path.write_bytes(damaged)
            assert kept.read(BATCH) is None
        entry = whole.index(b"PK\x01\x02")  # whose flags say that it is encrypted
        path.write_bytes(whole[: entry + 8] + b"\x01" + whole[entry + 9 :])
        assert kept.read(BATCH) is None


def test_nothing_stays_of_a_run_without_parts(tmp_path):
    with pytest.raises(OSError), parts.opened(tmp_path / "a" / "b", FACTS, lambda: 2):
        raise OSError
    assert not list(tmp_path.iterdir())


def test_another_run_is_refused_with_what_differs(tmp_path, rng):
    with parts.opened(tmp_path, FACTS, lambda: 2) as kept:
        kept.write(BATCH, part(rng))
    other = FACTS | {"config": {"method": "ddnm", "sampler": {"seed": 0}}}
    message = "config.method is 'ddnm', was 'mgdm'; write to another place, or remove"
    with (
        pytest.raises(ValueError, match=message),
        parts.opened(tmp_path, other, lambda: 2),
    ):
        pass
    with parts.opened(tmp_path / "other", other, lambda: 2) as elsewhere:
        elsewhere.write(BATCH, part(rng))
        kept.path(BATCH).replace(elsewhere.path(BATCH))
        with pytest.raises(ValueError, match="is of another run"):
            elsewhere.read(BATCH)


def test_spectra_are_no_data(tmp_path):
    """They follow from the operator, and to the last bit on one machine only."""
    plain = radon.parallel_beam(np.arange(5) * 36.0, 16)
    solved = radon.with_dual_spectrum(plain, tmp_path)
    operators = plain, solved, radon.with_harmonics(plain, tmp_path)
    one = Measurements(plain, np.zeros((1, 5, 16)), 0.0, None, np.ones(1), None, {})
    prior = factory.build_prior(tiny.spec(16), {"weight": np.zeros(1)})
    digests = {
        parts.facts(
            defaults.reconstruction(), prior, dataclasses.replace(one, operator=op)
        )["data"]
        for op in operators
    }
    assert len(digests) == 1


def test_parts_that_nobody_knows_are_refused(tmp_path, rng):
    with parts.opened(tmp_path, FACTS, lambda: 2) as kept:
        kept.write(BATCH, part(rng))
    facts = kept.folder / "run.json"
    text = facts.read_text()
    for damaged in ("", "[]", json.dumps({"facts": FACTS}), text[:-5]):
        facts.write_text(damaged)
        with pytest.raises(ValueError, match="damaged; write to another place"):
            parts.check(tmp_path, FACTS)
    facts.unlink()
    with pytest.raises(ValueError, match="does not say what it is of"):
        parts.check(tmp_path, FACTS)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with (
        pytest.raises(ValueError, match="does not say what it is of"),
        parts.opened(tmp_path, FACTS, lambda: 2),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_only_one_run_is_at_work_in_a_folder(tmp_path):
    with parts.opened(tmp_path, FACTS, lambda: 2):
        with (
            pytest.raises(ValueError, match="another process is at work"),
            parts.opened(tmp_path, FACTS, lambda: 2),
        ):
            pass
        assert parts.joined(tmp_path).stride == 2  # and has not been removed
