"""Several processes write to one folder, or to none."""

import joined
import pytest
from bad_input import check_refused

from mgdm_jax import processes
from mgdm_jax.commands import workdirs

CONFIGS = {"run": "mri_brats:smoke", "train": "priors/brain_t1"}


@pytest.mark.long
@pytest.mark.parametrize("command", CONFIGS)
def test_a_folder_of_each_is_refused_by_all(command, tmp_path):
    """As if on disks of their own; `run` would wait for ever."""
    folders = [tmp_path / "a" / "out", tmp_path / "b" / "out"]
    folders[1].parent.mkdir()
    words = [
        (f"--config={CONFIGS[command]}", f"--workdir={folder}", "--quiet")
        for folder in folders
    ]
    told = joined.check_refused(joined.run(joined.MAIN.format(command=command), *words))
    assert told.startswith(f"error: process 1: {folders[1]} on ")
    assert "give a --workdir that all of them share" in told
    assert [path.name for path in tmp_path.glob("*")] == ["b"]
    assert not list(folders[1].parent.iterdir())


def shared_by_two(monkeypatch, index, heard):
    """Be one of two processes, of which the other says what is heard."""
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "index", lambda: index)
    monkeypatch.setattr(processes, "hear", lambda words: heard(words))
    monkeypatch.setattr(workdirs, "PATIENCE_S", 0.0)


def test_what_the_first_leaves_is_there_while_the_others_look(tmp_path, monkeypatch):
    folder, seen = tmp_path / "made" / "out", []

    def heard(words):
        path = folder / workdirs.TOKEN
        seen.append(path.read_text() if path.exists() else None)
        return [words, words]

    shared_by_two(monkeypatch, 0, heard)
    workdirs.check_shared(folder)
    assert seen[0] is None and seen[1] == seen[2] and len(seen[1]) == 64
    assert not list(tmp_path.iterdir())


def test_another_s_token_is_none(tmp_path, monkeypatch):
    """As one has left it that was killed."""
    (tmp_path / workdirs.TOKEN).write_text("another's")
    answers = ["mine", "", ""] * 2
    shared_by_two(monkeypatch, 1, lambda words: [answers.pop(0), words])
    with pytest.raises(ValueError, match="is not the folder that the first"):
        workdirs.check_shared(tmp_path)
    (tmp_path / workdirs.TOKEN).write_text("mine")
    workdirs.check_shared(tmp_path)


@pytest.mark.parametrize("command", ["run", "sweep", "train"])
def test_no_folder_is_made_of_a_bucket(command, tmp_path):
    config = f"--config={CONFIGS.get(command, CONFIGS['run'])}"
    message = "--workdir must be a path, got gs://bucket/out; mount"
    check_refused(tmp_path, command, (config, "--workdir=gs://bucket/out"), message)
    assert not list(tmp_path.iterdir())
