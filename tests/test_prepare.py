"""Data sets prepared end to end: resumed, split, counted, used by other commands."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import scanner_files

from mgdm_jax import prepare
from mgdm_jax.data import jobs, prepared, readers
from mgdm_jax.data.splits import Splits

SHARES = Splits({"train": 0.5, "validation": 0.25, "test": 0.25})


def write_chests(root, rng, n=6, size=16):
    """Write a patient a series under a root; return the Hounsfield units of each."""
    made = {}
    for i in range(n):
        slices, hounsfield = scanner_files.ct_series(
            rng, n=2, size=size, patient=f"patient-{i}"
        )
        scanner_files.save_all(root / f"{i}", slices)
        made[f"patient-{i}"] = hounsfield
    return made


def reader(size=16):
    return readers.make("lidc", size, "auto", "mr")


def contents(path):
    with h5py.File(path) as file:
        return {name: values[()] for name, values in file.items()}


def test_subjects_slices_and_checksums(tmp_path, rng):
    made = write_chests(tmp_path / "in", rng)
    out = tmp_path / "chests.h5"
    manifest = prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    found = contents(out)
    subjects = found["subject"].astype(str)
    for subject, hounsfield in made.items():
        rows = subjects == subject
        expected = np.clip((hounsfield + 1024) / 2048, 0, 1)
        np.testing.assert_allclose(found["images"][rows], expected, atol=1e-6)
        split = SHARES.of(subject)
        assert set(found["split"][rows].astype(str)) == {split}
    entries = {entry["subject"]: entry for entry in manifest["volumes"]}
    assert json.loads((tmp_path / "chests.h5.manifest.json").read_text()) == manifest
    for subject, entry in entries.items():
        rows = subjects == subject
        assert entry["images_sha256"] == prepared.digest(found["images"][rows])
        assert len(entry["sources"]) == 2 and "output" not in entry
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "chests.h5",
        "chests.h5.manifest.json",
        "in",
    ]


def test_an_interrupted_preparation_goes_on(tmp_path, rng, monkeypatch):
    write_chests(tmp_path / "in", rng)
    whole = tmp_path / "whole.h5"
    prepare.prepare(reader(), tmp_path / "in", whole, SHARES, workers=1)
    run, done = jobs.run, []

    def interrupted(job):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(job)
        return run(job)

    out = tmp_path / "out.h5"
    monkeypatch.setattr(jobs, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    assert not out.exists()
    monkeypatch.setattr(jobs, "run", run)
    loads = []
    load = readers.Reader.load
    monkeypatch.setattr(
        readers.Reader, "load", lambda self, v: loads.append(v) or load(self, v)
    )
    prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    assert len(loads) == 3
    for name, values in contents(whole).items():
        np.testing.assert_array_equal(contents(out)[name], values)


KILLED = """
import os
import pathlib
import signal
import sys

from mgdm_jax import prepare

replace, left = os.replace, int(sys.argv.pop())


def replace_or_die(source, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    replace(source, target)


os.replace = replace_or_die
sys.argv[0] = prepare.__file__
prepare.cli()
"""
"""Killed before the renaming of this number; each makes something complete."""


@pytest.mark.parametrize("n_renamed", [1, 3, 4, 5, 6])
def test_a_killed_preparation_ends_as_if_nothing_had_been(n_renamed, tmp_path, rng):
    """Killed in a part, and before plan, images, manifest and the end of the parts."""
    write_chests(tmp_path / "in", rng, n=1)
    out = tmp_path / "out" / "images.h5"
    out.parent.mkdir()
    words = ["lidc", f"--in={tmp_path / 'in'}", f"--out={out}", "--size=16"]
    killed = [sys.executable, "-c", KILLED, *words, "--workers=1", str(n_renamed)]
    done = subprocess.run(killed, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert any(out.parent.iterdir())
    done = command(*words, "--workers=1")
    assert done.returncode == 0, done.stderr
    assert len(contents(out)["images"]) == 2
    left = sorted(p.name for p in out.parent.iterdir())
    assert left == ["images.h5", "images.h5.manifest.json"]


def test_other_settings_do_not_take_what_was_left(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=1)
    (volume,) = reader().find(tmp_path / "in")
    first, other = (
        jobs.SlicesJob(volume, "test", reader(size), tmp_path) for size in (16, 8)
    )
    changed = jobs.key(first)
    assert changed != jobs.key(other)
    with open(volume.paths[0], "ab") as file:
        file.write(b"\0\0")
    assert jobs.key(first) != changed


def test_several_processes_make_the_same_file(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=3)
    for workers in (1, 2):
        out = tmp_path / f"{workers}.h5"
        prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers)
    one, two = (contents(tmp_path / f"{workers}.h5") for workers in (1, 2))
    for name, values in one.items():
        np.testing.assert_array_equal(two[name], values)


def test_ctrl_c_is_one_line(tmp_path, rng):
    """It reaches all processes of a terminal; the workers leave it to the first."""
    write_chests(tmp_path / "in", rng, n=12)
    words = ("lidc", f"--in={tmp_path / 'in'}", f"--out={tmp_path / 'o.h5'}")
    # A shell that starts the tests in the background lets them ignore it, and what is
    # ignored here is ignored there. (`preexec_fn` would fork, of which JAX warns.)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = subprocess.Popen(
        [sys.executable, "-m", "mgdm_jax.prepare", *words, "--workers=2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    started.stderr.read(1)  # of the bar: workers are starting
    time.sleep(0.3)
    os.killpg(started.pid, signal.SIGINT)
    _, rest = started.communicate()
    assert "Traceback" not in rest
    assert started.returncode == 130 and rest.splitlines()[-1] == "interrupted"


def test_broken_volumes_are_left_out_with_a_line(tmp_path, rng, capsys):
    write_chests(tmp_path / "in", rng, n=2)
    broken = sorted((tmp_path / "in" / "1").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:-400])
    out = tmp_path / "out.h5"
    manifest = prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    skipped = [entry for entry in manifest["volumes"] if "skipped" in entry]
    assert [entry["subject"] for entry in skipped] == ["patient-1"]
    assert f"left out {skipped[0]['volume']}" in capsys.readouterr().err
    assert set(contents(out)["subject"].astype(str)) == {"patient-0"}


def test_volumes_unlike_most_are_left_out_with_a_line(tmp_path, rng, capsys):
    write_chests(tmp_path / "in", rng, n=2)
    for patient, size, modality in (("wide", 24, "CT"), ("brain", 16, "MR")):
        slices, _ = scanner_files.ct_series(rng, n=2, size=size, patient=patient)
        for ds in slices:
            ds.Modality = modality
            ds.RescaleIntercept = 0 if modality == "MR" else ds.RescaleIntercept
        scanner_files.save_all(tmp_path / "in" / patient, slices)
    out, any_size = tmp_path / "out.h5", readers.make("dicom", None, "auto", "mr")
    manifest = prepare.prepare(any_size, tmp_path / "in", out, SHARES, workers=1)
    skipped = {e["subject"]: e for e in manifest["volumes"] if "skipped" in e}
    assert set(skipped) == {"wide", "brain"}
    assert "24x24" in skipped["wide"]["skipped"]
    assert "the scanner's units" in skipped["brain"]["skipped"]
    lines = capsys.readouterr().err.splitlines()
    for entry in skipped.values():
        assert f"left out {entry['volume']}: {entry['skipped']}" in lines
        assert "slices" not in entry and "--size" in entry["skipped"]
    found = contents(out)
    assert set(found["subject"].astype(str)) == {"patient-0", "patient-1"}


def test_nothing_usable_writes_nothing(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=1)
    for path in (tmp_path / "in" / "0").iterdir():
        path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ValueError, match="none of 1 volumes can be used"):
        prepare.prepare(reader(), tmp_path / "in", tmp_path / "o.h5", SHARES, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    with pytest.raises(ValueError, match="holds no volume that lidc knows"):
        (tmp_path / "empty").mkdir()
        prepare.prepare(reader(), tmp_path / "empty", tmp_path / "o.h5", SHARES, 1)


def test_a_full_disk_stops_and_keeps_the_old_file(tmp_path, rng, monkeypatch):
    write_chests(tmp_path / "in", rng, n=2)
    out = tmp_path / "out.h5"
    prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    before = out.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepared, "_append", full)
    with pytest.raises(OSError, match="No space left"):
        prepare.prepare(reader(8), tmp_path / "in", out, SHARES, workers=1)
    assert out.read_bytes() == before
    assert not list(tmp_path.glob("**/*.part"))


def command(*words):
    return subprocess.run(
        [sys.executable, "-m", "mgdm_jax.prepare", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_tells_what_it_wrote_and_replaces_nothing(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=2)
    words = ("lidc", "--in", tmp_path / "in", "--out", tmp_path / "o.h5", "--workers=1")
    first = command(*words)
    assert first.returncode == 0, first.stderr
    assert "4 of 2 subjects" in first.stdout or "2 of 1 subjects" in first.stdout
    again = command(*words)
    assert again.returncode == 2 and "exists; give another --out" in again.stderr
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mri",), "must be one of brats"),
        ((), "expected one data set"),
        (("lidc", "--in=nowhere"), "no folder"),
        (("lidc", "--out=x.npy"), "must end in .h5"),
        (("lidc", "--measured"), "--measured is for fastmri"),
        (("lidc", "--modality=ct"), "--modality has an effect only for nifti"),
        (("fastmri", "--acceleration=4"), "--acceleration has an effect only with"),
        (("fastmri", "--mask=nope"), "--mask has an effect only with --measured"),
    ],
)
def test_bad_words_are_one_line(tmp_path, words, message):
    given = [f"--in={tmp_path}", f"--out={tmp_path / 'o.h5'}", *words]
    done = command(*given)
    assert done.returncode == 2 and message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_every_output_has_a_manifest_of_its_own(tmp_path):
    names = ("k", "k.4x", "k.8x", "k.h5", "k.hdf5")
    assert len({prepare.manifest_path(tmp_path / name) for name in names}) == len(names)
