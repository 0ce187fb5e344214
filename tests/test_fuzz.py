"""Random and damaged files to every reader, for a minute: one line, never a traceback.

Each reader is fuzzed in a process of its own: a library that crashes takes no more
than that with it, and is found out by its exit code.
"""

import logging
import shutil
import time
import traceback
import warnings
from pathlib import Path

import command_server
import h5py
import nibabel
import numpy as np
import pytest
import raw_data
import scanner_files
import scipy.io
import tiny

from mgdm_jax import foreign, priors
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

SECONDS = 4.0
"""Spent on each of the fifteen cases."""

RNG = np.random.default_rng(0)
KSPACE = (RNG.normal(size=(1, 8, 8)) + 1j).astype(np.complex64)


def write_npz(path):
    np.savez(path, kspace=KSPACE, mask=np.ones(8))


def write_mat(path):
    scipy.io.savemat(path, {"kspace": KSPACE})


def write_cfl(path):
    KSPACE.tofile(path)
    path.with_suffix(".hdr").write_text("# Dimensions\n8 8 1\n")


def write_mri(path):
    with h5py.File(path, "w") as file:
        file["kspace"], file["mask"] = KSPACE, np.ones(8)


def write_ct(path):
    with h5py.File(path, "w") as file:
        file["sinogram"], file["angles_deg"] = np.ones((1, 5, 8)), np.arange(5) * 36.0


def write_ismrmrd(path):
    size = ((8, 4, 1), (16.0, 8.0, 5.0))
    lines = [raw_data.line(np.ones((2, 8)), step) for step in range(4)]
    raw_data.write(path, raw_data.header(size, size, 2), lines)


def write_nifti(path):
    nibabel.save(
        nibabel.Nifti1Image(RNG.random((8, 8, 8), np.float32), np.eye(4)), path
    )


def write_dicom(path):
    slices, _ = scanner_files.ct_series(RNG, n=1, size=8)
    slices[0].save_as(path, enforce_file_format=True)


def write_fastmri(path):
    scanner_files.write_fastmri(path, KSPACE, recon=(4, 4))


def write_prior(path):
    shutil.move(tiny.write_prior(path.parent, 16), path)


def write_prepared(path):
    facts = (["x"], np.arange(1), np.ones(1), 1.0, "u")
    images = RNG.random((1, 8, 8), np.float32)
    prepared.write(path, prepared.Slices(images, *facts), "s", "v", "test")


def prepare(name):
    """Return what prepares the folder of a file; unusable volumes are entries."""

    def run(path):
        reader = readers.make(name, None, "auto", "mr")
        for volume in reader.find(path.parent):
            jobs.run(jobs.SlicesJob(volume, "test", reader, path.parent.parent))

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
}


FRAGILE = {"mat", "h5", "mri", "ct", "ismrmrd", "prepared", "prepare fastmri"}
"""HDF5 and MATLAB: their C libraries crash on some of it, which nobody can catch."""


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


def fuzz(name, folder, seed, end):
    """Damage one file in many ways; leave what went wrong in `found.txt`."""
    warnings.simplefilter("ignore")
    logging.disable()
    file, write, read = CASES[name]
    (folder / "in").mkdir(exist_ok=True)
    path = folder / "in" / file
    write(path)
    good = path.read_bytes()
    read(path)
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


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_damaged_files(name, tmp_path):
    seed, end = 0, time.time() + SECONDS
    while time.time() < end:
        seed += 1
        arguments = (name, tmp_path, seed, end)
        process = command_server.CONTEXT.Process(target=fuzz, args=arguments)
        process.start()
        process.join(60)
        hangs = process.is_alive()
        process.kill()
        found = tmp_path / "found.txt"
        assert not hangs
        assert not found.exists(), found.read_text()
        assert process.exitcode == 0 or name in FRAGILE, process.exitcode


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
