"""A disk that fills up, or cannot be written at all: one line, nothing half written.

The line names the user's path, and what was there before is there still.
"""

import command_server
import numpy as np
import pytest
import scanner_files
import tiny
from bad_input import CONFIGS, SIZE, kspace, prepare, reconstruct
from safetensors.numpy import save_file
from test_convert import checkpoint, reduced

from mgdm_jax.data import hdf5

MAX_BYTES = 2000
"""More than the messages, less than any result."""

SAMPLE = (
    "run",
    f"--config={CONFIGS}/ct_lidc.py:smoke",
    f"--config.prior.path=tiny-{SIZE}-1.safetensors",
    "--config.data.path=scan.h5",
)
CONVERT = ("convert", "net.safetensors", "--image_size=32", "--n_head_channels=64")


def write_scan(folder):
    np.save(folder / "k.npy", kspace())
    tiny.write_prior(folder, SIZE, 1)
    scan = {"sinogram": np.ones((1, 8, SIZE), "f4") * 5, "angles_deg": np.arange(8) * 9}
    hdf5.write(folder / "scan.h5", scan, {})


def write_checkpoint(folder):
    save_file(checkpoint(reduced("aapm_256")), folder / "net.safetensors")


def write_chests(folder):
    for patient in ("a", "b"):
        slices, _ = scanner_files.ct_series(
            np.random.default_rng(0), n=2, size=64, patient=patient
        )
        scanner_files.save_all(folder / "in" / patient, slices)


def write_knees(folder):
    (folder / "in").mkdir()
    image = np.random.default_rng(0).random((1, 64, 40))
    scanner_files.write_fastmri(folder / "in" / "k.h5", image, recon=(32, 32))


MEASURED = prepare("fastmri", "--measured", "--acceleration=2")

ROWS = {
    "reconstruct .h5": (write_scan, reconstruct("--kspace=k.npy"), "out.h5"),
    "reconstruct .npy": (write_scan, reconstruct("--kspace=k.npy"), "out.npy"),
    "reconstruct .nii": (write_scan, reconstruct("--kspace=k.npy"), "out.nii"),
    "reconstruct .png": (write_scan, reconstruct("--kspace=k.npy"), "out.png"),
    "run": (write_scan, SAMPLE, "out"),
    "prepare": (write_chests, prepare("dicom"), "out.h5"),
    "prepare measured": (write_knees, MEASURED, "out"),
    "convert": (write_checkpoint, CONVERT, "out"),
}


def command(words, out, folder, **limits):
    """Run a command that writes to `out`."""
    flag = "--workdir" if words[0] == "run" else "--out"
    words = [word for word in words if not word.startswith("--out=")]
    return command_server.run(*words, f"{flag}={out}", cwd=folder, **limits)


def contents(folder):
    return {
        p.relative_to(folder): p.is_file() and p.read_bytes() for p in folder.rglob("*")
    }


def check_refused(done, out, before, folder):
    lines = done.err.strip().splitlines()[-1:]
    assert done.code == 2, done.err
    assert lines[0].startswith("error: ") and "Traceback" not in done.err
    assert f"{out}" in lines[0] and "/." not in lines[0] and " ." not in lines[0]
    assert contents(folder) == before


@pytest.mark.parametrize("name", ROWS)
def test_a_full_disk_is_one_line(name, tmp_path):
    write, words, out = ROWS[name]
    folder = tmp_path / "here"
    folder.mkdir()
    write(folder)
    before = contents(folder)
    done = command(words, out, folder, max_bytes=MAX_BYTES)
    check_refused(done, out, before, folder)
    assert "cannot be written" in done.err


def test_there_is_no_room_for_the_merged_file(tmp_path):
    """Volumes that are finished are kept; so is the file that is there."""
    folder = tmp_path / "here"
    folder.mkdir()
    write_chests(folder)
    (folder / "out.h5").write_text("mine")
    done = command(
        (*prepare("dicom"), "--overwrite"), "out.h5", folder, max_bytes=2**17
    )
    assert done.code == 2 and "Traceback" not in done.err
    last = done.err.splitlines()[-1]
    assert last == "error: out.h5 cannot be written: File too large."
    assert (folder / "out.h5").read_text() == "mine"
    left = {p.name for p in folder.iterdir()}
    assert left == {"in", "out.h5", "out.h5.parts"}


def test_what_was_drawn_is_kept_where_the_report_has_no_room(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    write_scan(folder)
    words = reconstruct("--kspace=k.npy")
    done = command(words, "out.png", folder, max_bytes=2**15)
    assert done.code == 2 and "0/1" in done.err
    last = done.err.splitlines()[-1]
    assert last == "error: out.report.html cannot be written: File too large."
    assert (folder / "out.png.parts").exists()
    done = command((*words, "--overwrite"), "out.png", folder)
    assert done.code == 0 and "1/1" in done.err and "0/1" not in done.err
    left = {p.name for p in folder.iterdir() if p.name.startswith("out")}
    assert left == {"out.png", "out.report.html"}


@pytest.mark.parametrize("name", ROWS)
def test_a_place_that_cannot_be_written_is_found_out_first(name, tmp_path):
    """Root may write anywhere, but for file systems that nobody can write."""
    _, words, out = ROWS[name]
    folder = tmp_path / "here"
    folder.mkdir()
    if name.startswith("prepare"):
        (folder / "in").mkdir()  # nothing is looked for in it
    before = contents(folder)
    done = command(words, f"/proc/{out}", folder)
    check_refused(done, f"/proc/{out}", before, folder)
