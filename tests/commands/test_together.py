"""What one process cannot do, none of them goes on with."""

import jax
import joined
import pytest

from mgdm_jax import processes


@pytest.mark.long
def test_a_file_that_one_host_lacks_ends_all(tmp_path):
    """The others died of it in gloo's traceback, 100 s later."""
    out = tmp_path / "out"
    same = ("--config=mri_brats:smoke", f"--workdir={out}", "--quiet")
    words = [same, (*same, "--config.data.path=missing.h5")]
    told = joined.check_refused(joined.run(joined.MAIN.format(command="run"), *words))
    assert told.startswith("error: process 1: missing.h5: there is no such file")
    assert not out.exists()


@pytest.fixture
def second_of_two(monkeypatch):
    """Be the second of two processes; return what the first says, to be set."""
    said = [""]
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "index", lambda: 1)
    monkeypatch.setattr(processes, "hear", lambda words: [*said, words])
    return said


@pytest.mark.parametrize(
    ("first", "own", "line"),
    [
        ("", "no file", "process 1: no file"),
        ("no file", "", "process 0: no file"),
        ("no file", "no prior", "process 0: no file"),
        ("no such method", "no such method", "no such method"),
    ],
)
def test_all_say_which_process_cannot(first, own, line, second_of_two):
    second_of_two[0] = first
    with pytest.raises(ValueError) as raised, processes.together():
        if own:
            raise OSError(own)
    assert str(raised.value) == line


def test_an_error_without_words_is_one(second_of_two):
    with pytest.raises(ValueError, match="process 1: OSError"), processes.together():
        raise OSError


def test_nothing_wrong_is_nothing(second_of_two):
    with processes.together():
        pass


def test_one_process_keeps_its_error():
    with pytest.raises(FileNotFoundError), processes.together():
        raise FileNotFoundError(2, "No such file", "prior")


@pytest.mark.parametrize("kind", [jax.errors.JaxRuntimeError, ValueError])
def test_who_hears_nothing_says_so(kind, monkeypatch):
    def lost(said):
        raise kind("UNKNOWN: Gloo AllGather failed")

    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes.multihost_utils, "process_allgather", lost)
    with pytest.raises(ValueError, match="another process has ended"):
        processes.hear("")


def test_long_words_are_cut_between_letters(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)  # which JAX's own is not told
    [heard] = processes.hear("a" + "η" * 2000)
    assert heard == "a" + "η" * 511
