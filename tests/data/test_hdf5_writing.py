"""A file of reserved room is as any other, and a full disk no crash."""

import os
import resource

import command_server
import h5py
import numpy as np
import pytest

from mgdm_jax.data import hdf5_writing

VALUES = np.random.default_rng(0).random((8, 32, 32))


def fill(file):
    for i in range(3):
        file.create_dataset(str(i), data=VALUES, compression="gzip")
        file.flush()


def write(kind, path):
    """Write one file in whichever way."""
    if kind == "memory":
        return hdf5_writing.in_memory(path)
    return hdf5_writing.reserved(path, 1_000_000)


@pytest.mark.parametrize("kind", ["memory", "reserved"])
def test_files_are_as_long_as_what_they_hold(kind, tmp_path):
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        fill(file)
    with write(kind, tmp_path / "ours.h5") as file:
        fill(file)
    sizes = [(tmp_path / f"{n}.h5").stat().st_size for n in ("plain", "ours")]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)
    with h5py.File(tmp_path / "ours.h5") as file:
        np.testing.assert_array_equal(file["2"][()], VALUES)


def on_a_full_disk(kind, folder):
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    os.chdir(folder)
    with (
        pytest.raises(OSError, match=r"ours\.h5 cannot be written: File too large"),
        write(kind, folder / "ours.h5") as file,
    ):
        fill(file)


@pytest.mark.parametrize("kind", ["memory", "reserved"])
def test_a_full_disk_is_an_error_and_no_crash(kind, tmp_path):
    process = command_server.CONTEXT.Process(
        target=on_a_full_disk, args=(kind, tmp_path)
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert not list(tmp_path.iterdir())
