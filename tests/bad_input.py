"""Commands, and files that are wrong in one way, for the tests of bad input."""

import pickle
import struct
from pathlib import Path

import command_server
import h5py
import numpy as np
import raw_data
import scanner_files
from safetensors.numpy import save_file

from mgdm_jax import priors as prior_files

CONFIGS = Path(__file__).parents[1] / "configs"
SIZE = 32


def kspace(n=1, coils=(), size=SIZE):
    """Return k-space of a bright square, [n, (c,) h, w]."""
    image = np.zeros((n, *coils, size, size))
    image[..., 8:20, 10:25] = 0.9
    return scanner_files.centred_fft(image).astype(np.complex64)


def write_mri(folder, **changes):
    """Write a good file of measurements but for the changes; None leaves one out."""
    arrays = {"kspace": kspace(), "mask": np.ones(SIZE, np.float32)} | changes
    with h5py.File(folder / "scan.h5", "w") as file:
        for name in ("scale", "centered"):
            if name in arrays:
                file.attrs[name] = arrays.pop(name)
        for name, values in arrays.items():
            if values is not None:
                file[name] = values


def write_ct(folder, **changes):
    sinogram = np.ones((1, 8, SIZE), np.float32) * 5
    arrays = {"sinogram": sinogram, "angles_deg": np.arange(8) * 22.5} | changes
    with h5py.File(folder / "scan.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values


def spoil(values, what):
    values = values.copy()
    values.ravel()[7] = what
    return values


def run_mri(*words):
    """Return a command that reconstructs scan.h5 with a prior of that size."""
    config = f"{CONFIGS}/mri_brats.py:smoke"
    given = (
        "--config.data.path=scan.h5",
        f"--config.prior.path=tiny-{SIZE}-1.safetensors",
    )
    return ("run", f"--config={config}", "--workdir=out", *given, *words)


def run_ct(*words):
    return ("run", f"--config={CONFIGS}/ct_lidc.py:smoke", *run_mri()[2:], *words)


def run_sample(*words):
    """Return a command on the embedded sample; its size is not the tiny prior's."""
    return ("run", f"--config={CONFIGS}/mri_brats.py:smoke", "--workdir=out", *words)


def sweep(*words):
    """Return a command that sweeps over scan.h5."""
    return ("sweep", *run_mri()[1:], *words)


def reconstruct(*words):
    prior = f"--prior=tiny-{SIZE}-1.safetensors"
    return ("reconstruct", prior, "--out=out.npy", "--n_steps=2", *words)


def measure(*words):
    return ("prepare", "fastmri", "--in=in", "--measured", "--acceleration=2", *words)


def prepare(name, *words):
    return ("prepare", name, "--in=in", "--out=out.h5", "--workers=1", *words)


def truncated(folder):
    write_mri(folder)
    data = (folder / "scan.h5").read_bytes()
    (folder / "scan.h5").write_bytes(data[: len(data) // 2])


def two_reals(folder):
    values = kspace()
    write_mri(folder, kspace=np.stack([values.real, values.imag], -1))


def corner_kspace(folder):
    write_mri(folder, kspace=np.fft.ifftshift(kspace(), (-2, -1)))


def no_dataset(folder):
    write_mri(folder, kspace=None, ksp=kspace())


def wrong_coils(folder):
    maps = np.ones((3, SIZE, SIZE), np.complex64)
    write_mri(folder, kspace=kspace(coils=(4,)), sensitivity_maps=maps)


def pickle_bomb(folder):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (folder / "exploded",))

    np.save(folder / "k.npy", np.array([Bomb()], object), allow_pickle=True)
    (folder / "bomb.pt").write_bytes(pickle.dumps({"input_blocks.0.0.weight": Bomb()}))


def half_a_prior(folder):
    write_mri(folder)
    path = folder / f"tiny-{SIZE}-1.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def a_prior_of_nothing(folder):
    write_mri(folder)
    save_file({"x": np.zeros(3, np.float32)}, folder / f"tiny-{SIZE}-1.safetensors")


def a_prior_of_lies(folder):
    """A header longer than the file."""
    write_mri(folder)
    path = folder / f"tiny-{SIZE}-1.safetensors"
    path.write_bytes(struct.pack("<Q", 2**40) + b"{}")


def a_prior_of(text, lacks=""):
    """Return what writes a tiny prior's tensors with other facts, or but for one."""

    def make(folder):
        write_mri(folder)
        path = folder / f"tiny-{SIZE}-1.safetensors"
        tensors, metadata = prior_files.read(path)
        tensors.pop(lacks, None)
        save_file(tensors, path, metadata if text is None else {"mgdm_jax": text})

    return make


def raw_lines(folder, lines=1):
    """Write ISMRMRD data of a header and so many lines, which are no scan yet."""
    space = ((4, 4, 1), (4.0, 4.0, 1.0))
    samples = [raw_data.line(np.ones((1, 4)))] * lines
    raw_data.write(folder / "scan.h5", raw_data.header(space, space, 2), samples)


def no_pixels(folder):
    slices, _ = scanner_files.ct_series(np.random.default_rng(0), n=2, size=16)
    for ds in slices:
        del ds.PixelData
    scanner_files.save_all(folder / "in", slices)


def four_dimensions(folder):
    (folder / "in").mkdir()
    scanner_files.write_nifti(folder / "in" / "v.nii", np.ones((4, 4, 4, 3), "f4"))


def a_half_nifti(folder):
    (folder / "in").mkdir()
    values = np.random.default_rng(0).random((9, 9, 9), np.float32)
    path = scanner_files.write_nifti(folder / "in" / "v.nii.gz", values)
    path.write_bytes(path.read_bytes()[:-100])


def knees(folder, *names):
    """Write fastMRI files below `in`."""
    image = np.random.default_rng(0).random((1, 32, 24))
    for name in names:
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scanner_files.write_fastmri(path, image, recon=(16, 16))


def mine(path, text="mine"):
    """Return what writes a knee and a text of the user's."""

    def write(folder):
        knees(folder, "file1.h5")
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)

    return write


def one_knee(folder):
    knees(folder, "file1.h5")


def a_link_to_a_knee(folder):
    knees(folder, "file1.h5")
    (folder / "out").mkdir()
    (folder / "out" / "file1.h5").symlink_to(folder / "in" / "file1.h5")


def present(folder):
    write_arrays(folder)
    (folder / "out.npy").write_text("mine")


def a_folder_of_scans(folder):
    (folder / "scan.h5").mkdir()
    for name in ("b.h5", "a.h5", "manifest.json"):
        (folder / "scan.h5" / name).write_text("")


def written(name, text):
    """Return what writes a text of that name."""
    return lambda folder: (folder / name).write_text(text)


def finished(folder):
    write_mri(folder)
    (folder / "out").mkdir()
    (folder / "out" / "metrics.json").write_text("{}")


def file_for_a_folder(folder):
    write_mri(folder)
    (folder / "out").write_text("mine")


def another_sweep(folder):
    write_mri(folder, reference=np.ones((1, SIZE, SIZE)))
    (folder / "out").mkdir()
    (folder / "out" / "config.json").write_text('{"method": "dps"}')


def a_table_of_its_own(folder):
    another_sweep(folder)
    (folder / "out" / "sweep.csv").write_text("mine")


def write_arrays(folder, **changes):
    arrays = {"k": kspace(), "m": np.ones(SIZE)} | changes
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)


def mri(**changes):
    return lambda folder: write_mri(folder, **changes)


def ct(**changes):
    return lambda folder: write_ct(folder, **changes)


def arrays(**changes):
    return lambda folder: write_arrays(folder, **changes)


def nothing(folder):
    """Leave the folder as it is."""


MAPS = np.ones((2, SIZE, SIZE), np.complex64)
SINOGRAM = np.ones((1, 8, SIZE), np.float32)


def check_refused(folder, module, words, message):
    """Run a command in a folder, which it must leave as it is, for one line."""
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    done = command_server.run(module, *words, cwd=folder)
    assert done.code == 2, done.err
    lines = done.err.strip().splitlines()
    if module == "prepare":  # volumes left out are lines as well, and there is a bar
        lines = lines[-1:]
    assert len(lines) == 1 and message in lines[0], done.err
    assert lines[0].startswith("error: ")
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def check_row(row, tmp_path, priors):
    """Run a row's command among its files and priors, given by their paths."""
    make, (module, *words), message = row
    folder = tmp_path / "here"
    folder.mkdir()
    for prior in map(Path, priors):
        (folder / prior.name).write_bytes(prior.read_bytes())
    make(folder)
    check_refused(folder, module, words, message)
