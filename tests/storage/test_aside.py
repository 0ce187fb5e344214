"""Files and folders come whole or not at all, and errors name the user's path."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mgdm_jax.storage import aside


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "out.nii.gz"
    with aside.replacing(path) as part:
        assert part.name.endswith(".out.nii.gz") and not path.exists()
        part.write_text("1")
    with pytest.raises(ZeroDivisionError), aside.replacing(path) as part:
        part.write_text("2")
        raise ZeroDivisionError
    assert path.read_text() == "1"
    assert names(tmp_path) == ["new", "new/out.nii.gz"]


def test_folders_made_for_nothing_are_gone(tmp_path):
    with (
        pytest.raises(OSError, match="c cannot be written: full"),
        aside.replacing(tmp_path / "a" / "b" / "c"),
    ):
        raise OSError("full")
    assert not names(tmp_path)


def test_a_folder_that_cannot_be_replaced_is_put_back(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    replace = os.replace

    def fails_for_the_new_one(source, target):
        if str(target) == str(tmp_path / "out") and source.suffix != ".old":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_for_the_new_one)
    with (
        pytest.raises(OSError, match="out cannot be written: No space left"),
        aside.replacing(tmp_path / "out") as part,
    ):
        part.mkdir()
    assert names(tmp_path) == ["out", "out/mine"]


def test_a_file_replaces_no_folder(tmp_path):
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(OSError, match="out cannot be written"),
        aside.replacing(tmp_path / "out") as part,
    ):
        part.touch()
    assert names(tmp_path) == ["out"]


def test_a_folder_is_filled_at_once(tmp_path):
    out = tmp_path / "a" / "out"
    with (
        pytest.raises(OSError, match=r"/out/2 cannot be written: full") as caught,
        aside.filling(out, last="0") as part,
    ):
        (part / "1").touch()
        with aside.replacing(part / "2"):
            raise OSError(28, "full")
    assert "/." not in str(caught.value) and not names(tmp_path)
    with aside.filling(out, last="0") as part:
        for name in ("0", "1"):
            (part / name).touch()
    assert names(tmp_path) == ["a", "a/out", "a/out/0", "a/out/1"]


def killed(code, folder):
    """Run a process that writes under a hidden name until it kills itself."""
    lines = (
        "import os, pathlib, signal, sys",
        "from mgdm_jax.storage import aside",
        "folder = pathlib.Path(sys.argv[1])",
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)",
        *code,
    )
    command = [sys.executable, "-c", "\n".join(lines), str(folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    killed(
        [
            "with aside.filling(folder, '0') as part:",
            "    (part / '1').touch()",
            "    with aside.replacing(folder / 'out') as part:",
            "        part.touch()",
            "        die()",
        ],
        tmp_path,
    )
    left = [p.name for p in tmp_path.iterdir()]
    assert sorted(map(aside.meant, left)) == ["out", "part"] and "out" not in left
    with aside.replacing(tmp_path / "other") as part:
        part.touch()
    assert len(names(tmp_path)) == 4  # nobody has asked for these places yet
    with aside.replacing(tmp_path / "out") as part:
        part.touch()
    with aside.filling(tmp_path, last="0"):
        pass
    assert names(tmp_path) == ["other", "out"]


def test_a_folder_that_a_kill_left_without_its_place_is_put_back(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    killed(
        [
            "def replace(source, target, really=os.replace):",
            "    die() if target == folder / 'out' else really(source, target)",
            "os.replace = replace",
            "with aside.replacing(folder / 'out') as part:",
            "    part.mkdir()",
        ],
        tmp_path,
    )
    assert not (tmp_path / "out").exists()
    with pytest.raises(ZeroDivisionError), aside.replacing(tmp_path / "out"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["out", "out/mine"]


def test_what_another_machine_is_making_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(aside, "_host", lambda: "0" * 8)
    theirs = aside._hidden(tmp_path / "out")
    theirs.touch()
    monkeypatch.undo()
    with aside.replacing(tmp_path / "out") as part:
        part.touch()
    assert names(tmp_path) == sorted([theirs.name, "out"])


def test_errors_of_other_files_keep_their_name(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="absent"),
        aside.replacing(tmp_path / "out"),
    ):
        (tmp_path / "absent").read_text()


def test_the_error_travels_to_another_process(tmp_path):
    error = aside.NotWrittenError(tmp_path, "full")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent/out.h5", "is no folder that can be written to"),
        ("x" * 250, "cannot be written"),
        ("/proc/out.h5", "cannot be written"),
        ("/proc", "cannot be replaced"),
    ],
)
def test_what_cannot_be_written_is_found_out_beforehand(name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        aside.check(tmp_path / name)
    assert not names(tmp_path)


def test_a_folder_to_be_is_tried_in_the_first_that_exists(tmp_path):
    aside.check_inside(tmp_path / "a" / "b")
    assert not names(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        aside.check_inside(tmp_path / "file" / "b")
    with pytest.raises(ValueError, match="cannot be written"):
        aside.check_inside(tmp_path / "/proc/a/b")


@pytest.mark.parametrize("name", [".", "..", "new"])
def test_the_current_folder_is_tried_inside(name, tmp_path, monkeypatch):
    """It may be a mount point, which cannot be replaced, and need not be."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).resolve() == here)
    aside.check_inside(Path(name))
    assert not list(here.iterdir())
