"""Random and damaged files to every reader, for a minute: one line, never a traceback.

Each reader is fuzzed in a process of its own: a library that crashes takes no more
than that with it, and is found out by its exit code. That the good file is read comes
first.
"""

import logging
import os
import sys
import time
import traceback
import warnings
from pathlib import Path

import command_server
import h5py
import numpy as np
import pytest
from fuzz_files import (
    KSPACE,
    write_brats,
    write_cfl,
    write_ct,
    write_dicom,
    write_diffusers,
    write_fastmri,
    write_ismrmrd,
    write_mat,
    write_mri,
    write_nifti,
    write_npz,
    write_prepared,
    write_prior,
    write_torch,
)

from mgdm_jax import priors
from mgdm_jax.converting import foreign
from mgdm_jax.data import (
    arrays,
    dicom_files,
    hdf5,
    ismrmrd_files,
    jobs,
    nifti_files,
    prepared,
    readers,
)

SECONDS = 3.0
"""Spent on each of the twenty cases."""


def prepare(name, size=None):
    """Return what prepares the folder of a file.

    An unusable volume is an entry that says why: a ValueError here.
    """

    def run(path):
        reader = readers.make(name, size, "auto", "mr")
        found = reader.find(path.parent)
        if not found:
            raise ValueError("there is no volume")
        for volume in found:
            job = jobs.SlicesJob(volume, "test", reader, path.parents[1] / "parts")
            entry = jobs.run(job)
            if "skipped" in entry:
                raise ValueError(entry["skipped"])

    return run


def read_array(path):
    arrays.read(str(path), "kspace")


CASES = {
    "npy": ("k.npy", lambda path: np.save(path, KSPACE), read_array),
    "npz": ("k.npz", write_npz, read_array),
    "mat": ("k.mat", write_mat, read_array),
    "cfl": ("k.cfl", write_cfl, read_array),
    "h5": ("k.h5", write_mri, lambda path: arrays.read(f"{path}#kspace", "kspace")),
    "mri": ("k.h5", write_mri, hdf5.read_mri),
    "ct": ("k.h5", write_ct, hdf5.read_ct),
    "ismrmrd": ("k.h5", write_ismrmrd, ismrmrd_files.read),
    "nifti": ("v.nii", write_nifti, nifti_files.read_geometry),
    "dicom": ("v.dcm", write_dicom, dicom_files.read_geometry),
    "prior": ("p.safetensors", write_prior, lambda path: priors.load(str(path))),
    "checkpoint": ("p.safetensors", write_prior, lambda p: foreign.read_adm(str(p))),
    "prepared": ("p.h5", write_prepared, lambda path: prepared.spread(path, "test", 1)),
    "prepare nifti": ("v.nii.gz", write_nifti, prepare("nifti")),
    "prepare dicom": ("v.dcm", write_dicom, prepare("dicom")),
    "prepare fastmri": ("k.h5", write_fastmri, prepare("fastmri")),
    "prepare brats": ("s/s_t1.nii.gz", write_brats, prepare("brats", 16)),
    "prepare lidc": ("v.dcm", write_dicom, prepare("lidc", 16)),
    "torch": ("p.pt", write_torch, foreign.read_adm),
    "diffusers": (
        "config.json",
        write_diffusers,
        lambda path: foreign.read_diffusers(path.parent),
    ),
}


def is_good(path):
    return KSPACE.tobytes() in path.read_bytes()


BROKEN = {
    "reads nothing": ("k.h5", write_mri, lambda _: 1 / 0),
    "wrong error": ("k.h5", write_mri, lambda path: 1 / is_good(path)),
    "exits": ("k.h5", write_mri, lambda path: is_good(path) or os._exit(3)),
}
"""Readers that must be found out."""

FRAGILE = {"mat", "h5", "mri", "ct", "ismrmrd", "prepared", "prepare fastmri"}
"""HDF5 and MATLAB: their C libraries crash on some of it, which nobody can catch."""

FRAGILE |= BROKEN.keys()  # so that what is forgiven there hides no more than crashes


def damaged(rng, data):
    """Return bytes with something wrong: cut, flipped, replaced, all of them random."""
    raw = np.frombuffer(data, np.uint8).copy()
    match rng.integers(4):
        case 0:
            return raw[: rng.integers(len(raw))].tobytes()
        case 1:
            where = rng.integers(len(raw), size=rng.integers(1, 8))
            raw[where] ^= rng.integers(1, 256, len(where)).astype(np.uint8)
        case 2:
            start = rng.integers(len(raw))
            block = raw[start : start + rng.integers(1, 64)]
            block[:] = rng.integers(256, size=len(block))
        case _:
            raw = rng.integers(256, size=rng.integers(600), dtype=np.uint8)
    return raw.tobytes()


def write_and_read(name, folder):
    """Write the file of a case and read it: nothing is wrong with it."""
    file, write, read = (CASES | BROKEN)[name]
    path = folder / "in" / file
    path.parent.mkdir(parents=True)
    write(path)
    (folder / "good").write_bytes(path.read_bytes())
    read(path)


def fuzz(name, folder, seed, end):
    """Damage one file in many ways; leave what went wrong in `found.txt`."""
    warnings.simplefilter("ignore")
    logging.disable()
    file, _, read = (CASES | BROKEN)[name]
    path, good = folder / "in" / file, (folder / "good").read_bytes()
    rng = np.random.default_rng(seed)
    while time.time() < end:
        path.write_bytes(damaged(rng, good))
        try:
            read(path)
        except (ValueError, OSError) as error:
            if "\n" in str(error).strip():
                (folder / "found.txt").write_text(f"two lines: {error}")
                return
        except BaseException:
            (folder / "found.txt").write_text(traceback.format_exc())
            return


def exit_code(function, *arguments):
    """Run a function in a process of its own and return how that ended."""
    process = command_server.CONTEXT.Process(target=function, args=arguments)
    process.start()
    process.join(60)
    hangs = process.is_alive()
    process.kill()
    assert not hangs
    return process.exitcode


def count_crashes(name, folder, seconds):
    """Fuzz one case and return how often its library took the process with it."""
    assert exit_code(write_and_read, name, folder) == 0, "the good file is not read"
    seed = crashes = 0
    end = time.time() + seconds
    while time.time() < end:
        seed += 1
        code = exit_code(fuzz, name, folder, seed, end)
        found = folder / "found.txt"
        assert not found.exists(), found.read_text()
        assert code == 0 or (code < 0 and name in FRAGILE), f"exit code {code}"
        crashes += code < 0
    return crashes


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_damaged_files(name, tmp_path):
    if name == "torch":
        pytest.importorskip("torch")
    crashes = count_crashes(name, tmp_path, SECONDS)
    sys.stdout.write(f"crashes of {name}: {crashes}")  # pytest -rP shows it


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reads nothing", "good file is not read"),
        ("wrong error", "ZeroDivisionError"),
        ("exits", "exit code 3"),
    ],
)
def test_broken_readers_are_found_out(name, message, tmp_path):
    with pytest.raises(AssertionError, match=message):
        count_crashes(name, tmp_path, SECONDS)


DTYPES = ("complex64", "float32", "int16", "bool", "S3", "complex128", "float64")


@pytest.mark.slow
def test_arrays_of_any_shape_and_type(tmp_path):
    """Valid files of nonsense: read, or refused with one line."""
    rng, path = np.random.default_rng(2), tmp_path / "k.h5"
    end = time.monotonic() + SECONDS
    n_refused = 0
    while time.monotonic() < end:
        with h5py.File(path, "w") as file:
            for key in ("kspace", "mask", "sensitivity_maps", "reference"):
                shape = rng.integers(0, 5, rng.integers(0, 5))
                values = np.full(shape, rng.choice([0, 1, np.nan]))
                with np.errstate(all="ignore"):
                    file[key] = values.astype(rng.choice(DTYPES))
            file.attrs["scale"] = rng.choice([0.0, 1.0, np.inf])
        try:
            hdf5.read_mri(Path(path))
        except ValueError as error:
            n_refused += 1
            assert "\n" not in str(error)
    assert n_refused
