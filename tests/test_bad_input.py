"""Whatever is wrong with a user's input is one line, exit code 2, nothing written."""

import pickle
import struct
from pathlib import Path

import command_server
import h5py
import numpy as np
import pytest
import scanner_files
import tiny
from safetensors.numpy import save_file
from test_convert import REFUSAL

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

ROWS = {
    "truncated HDF5": (truncated, run_mri(), "not readable"),
    "no such file": (nothing, run_mri(), "no such file"),
    "not HDF5": (
        lambda d: (d / "scan.h5").write_text("hello"),
        run_mri(),
        "not readable",
    ),
    "wrong names": (no_dataset, run_mri(), "has no dataset 'kspace', it has 'ksp'"),
    "complex as two reals": (two_reals, run_mri(), "kspace must be complex"),
    "NaN": (mri(kspace=spoil(kspace(), np.nan)), run_mri(), "1 NaN or infinite"),
    "Inf": (mri(kspace=spoil(kspace(), np.inf)), run_mri(), "1 NaN or infinite"),
    "all-zero k-space": (mri(kspace=0 * kspace()), run_mri(), "is all zero"),
    "mask's shape": (mri(mask=np.ones(SIZE + 1)), run_mri(), "mask must have shape"),
    "mask of nothing": (mri(mask=np.zeros(SIZE)), run_mri(), "mask samples nothing"),
    "mask of weights": (mri(mask=np.full(SIZE, 0.5)), run_mri(), "zeros and ones only"),
    "DC in the corner": (corner_kspace, run_mri(), "energy lies in the corners"),
    "DC in the corner along rows": (
        mri(kspace=np.fft.ifftshift(kspace(), -1)),
        run_mri(),
        "in the corner along w; apply fftshift along w (axis -1)",
    ),
    "DC in the corner along columns": (
        arrays(k=np.fft.ifftshift(kspace(), -2)),
        reconstruct("--kspace=k.npy"),
        "in the corner along h and in the middle along w; apply fftshift along h (axis",
    ),
    "DC in the middle along rows": (
        arrays(k=np.fft.ifftshift(kspace(), -2)),
        reconstruct("--kspace=k.npy", "--nocentered"),
        "in the middle along w; apply ifftshift along w (axis -1)",
    ),
    "DC in the middle": (mri(centered=False), run_mri(), "energy lies in the middle"),
    "scale of another scan": (mri(scale=1e6), run_mri(), "give the scale of these"),
    "scale of nought": (mri(scale=0.0), run_mri(), "scale must be one positive number"),
    "coils without maps": (mri(kspace=kspace(coils=(4,))), run_mri(), "has 4 coils"),
    "number of coils": (wrong_coils, run_mri(), "check the number of coils"),
    "coils and a real prior": (
        mri(kspace=kspace(coils=(2,)), sensitivity_maps=MAPS),
        run_mri(),
        "needs a prior of complex images",
    ),
    "maps of nothing": (
        mri(kspace=kspace(coils=(2,)), sensitivity_maps=0 * MAPS),
        run_mri(),
        "sensitivity_maps of set 0 is all zero",
    ),
    "reference's shape": (
        mri(reference=np.ones((1, 9, 9))),
        run_mri(),
        "reference must have shape",
    ),
    "reference of nothing": (
        mri(reference=np.zeros((1, SIZE, SIZE))),
        run_mri(),
        "reference is zero throughout",
    ),
    "radians": (ct(angles_deg=np.arange(8) * 0.39), run_ct(), "look like radians"),
    "radians over a whole turn": (
        ct(angles_deg=np.linspace(0, 2 * np.pi, 8)),
        run_ct(),
        "look like radians",
    ),
    "angles without rows": (ct(angles_deg=np.arange(7)), run_ct(), "one angle a view"),
    "sinogram in pixels of 1e5": (ct(sinogram=SINOGRAM * 1e5), run_ct(), "scale"),
    "CT in a file of MRI": (mri(), run_ct(), "has no dataset 'sinogram', 'angles_deg'"),
    "prior of another size": (
        mri(),
        run_mri("--config.prior.path=tiny-48-1.safetensors"),
        "32x32, the prior is for 48x48",
    ),
    "prior of other channels": (
        mri(),
        run_mri("--config.prior.path=tiny-32-2.safetensors"),
        "needs a prior of 1 channels",
    ),
    "prior half written": (half_a_prior, run_mri(), "safetensors"),
    "prior of nothing": (a_prior_of_nothing, run_mri(), "safetensors"),
    "prior whose header lies": (a_prior_of_lies, run_mri(), "safetensors"),
    "prior of no facts": (a_prior_of("[]"), run_mri(), "no JSON object of facts"),
    "prior that lacks a fact": (a_prior_of("{}"), run_mri(), "metadata lacks 'high'"),
    "prior that lacks a tensor": (
        a_prior_of(None, lacks="out.1.bias"),
        run_mri(),
        "lacks the tensor out.1.bias",
    ),
    "no such prior": (
        nothing,
        run_sample("--config.prior.path=brain"),
        "no prior 'brain'",
    ),
    "pickle in an array": (pickle_bomb, reconstruct("--kspace=k.npy"), "not readable"),
    "pickle for a checkpoint": (
        pickle_bomb,
        ("convert", "bomb.pt", "--preset=ffhq_10m", "--out=out"),
        REFUSAL,
    ),
    "a checkpoint of scalars": (
        lambda d: save_file(
            {"time_embed.0.weight": np.array(1.0)}, d / "a.safetensors"
        ),
        ("convert", "a.safetensors", "--image_size=64", "--n_heads=4", "--out=out"),
        "time_embed.0.weight of the checkpoint has shape ()",
    ),
    "a folder of another kind": (
        lambda d: (d / "config.json").write_text('{"sample_size": "x"}'),
        ("convert", ".", "--from=diffusers", "--out=out"),
        "must state sample_size",
    ),
    "DICOM without pixels": (no_pixels, prepare("dicom"), "has no PixelData"),
    "NIfTI of four dimensions": (four_dimensions, prepare("nifti"), "has 4 dimensions"),
    "NIfTI half written": (a_half_nifti, prepare("nifti"), "none of 1 volumes"),
    "an empty data set": (
        lambda d: (d / "in").mkdir(),
        prepare("brats"),
        "holds no volume that brats knows",
    ),
    "measured into its sources": (one_knee, measure("--out=in"), "overlap"),
    "measured below its sources": (
        one_knee,
        measure("--out=in/new", "--overwrite"),
        "overlap",
    ),
    "measured above its sources": (
        one_knee,
        measure("--out=.", "--overwrite"),
        "overlap",
    ),
    "measured over a volume": (
        mine("out/file1.h5"),
        measure("--out=out"),
        "out/file1.h5 exists and is none of prepare's",
    ),
    "measured over what a link shows": (
        a_link_to_a_knee,
        measure("--out=out", "--overwrite"),
        "would replace in/file1.h5",
    ),
    "measured over a note": (
        mine("out/file1.json", '{"key": 1}'),
        measure("--out=out"),
        "out/file1.json exists and is none of prepare's",
    ),
    "measured into a file": (mine("out"), measure("--out=out"), "out is a file"),
    "prepared over a source": (
        one_knee,
        ("prepare", "fastmri", "--in=in", "--out=in/file1.h5", "--overwrite"),
        "in/file1.h5 would replace in/file1.h5",
    ),
    "prepared over a manifest": (
        mine("out.h5.manifest.json"),
        prepare("fastmri"),
        "out.h5.manifest.json exists",
    ),
    "prepared over a folder": (
        mine("out.h5/file"),
        prepare("fastmri", "--overwrite"),
        "out.h5 is a folder",
    ),
    "prepared where others keep files": (
        mine("out.h5.parts/letter.txt"),
        prepare("fastmri"),
        "out.h5.parts/letter.txt is none of prepare's",
    ),
    "output present": (present, reconstruct("--kspace=k.npy"), "out.npy exists"),
    "output in no folder": (
        arrays(),
        reconstruct("--kspace=k.npy", "--out=no/out.npy"),
        "no folder that can be written to",
    ),
    "output of no known kind": (
        arrays(),
        reconstruct("--kspace=k.npy", "--out=out.jpg"),
        "--out must end in",
    ),
    "a finished run": (finished, run_mri(), "holds a finished run"),
    "a file for a folder": (file_for_a_folder, run_mri(), "out"),
    "two kinds of scan": (
        arrays(),
        reconstruct("--kspace=k.npy", "--sinogram=k.npy", "--angles=m.npy"),
        "give either --kspace",
    ),
    "mask and k-space apart": (
        arrays(m=np.ones(SIZE - 1)),
        reconstruct("--kspace=k.npy", "--mask=m.npy"),
        "mask must have shape",
    ),
    "rectangular k-space": (
        arrays(k=kspace()[..., :24]),
        reconstruct("--kspace=k.npy"),
        "32x24, the prior is for 32x32; resample the data or give a prior of that size;"
        " where complex images are the middle of a wider field of view, give "
        "--wider_field",
    ),
    "wider than a real prior": (
        arrays(),
        reconstruct("--kspace=k.npy", "--wider_field"),
        "wider_field is for complex images",
    ),
    "a wider field of a sinogram": (
        ct(),
        reconstruct("--sinogram=scan.h5", "--wider_field"),
        "give either --kspace",
    ),
    "unknown field": (
        nothing,
        run_sample("--config.sampler.nsteps=5"),
        "has no field 'nsteps'. Did you mean \"n_steps\"",
    ),
    "unknown section": (
        nothing,
        run_sample("--config.smapler.n_steps=5"),
        "has no field 'smapler'. Did you mean \"sampler\"",
    ),
    "field of a number": (
        nothing,
        run_sample("--config.sampler.n_steps.x=5"),
        "the configuration has no such field",
    ),
    "field of a text": (
        nothing,
        run_sample("--config.name.x=2"),
        "the configuration has no such field: string indices",
    ),
    "field of a tuple": (
        nothing,
        run_sample("--config.tuned.mgdm.any.x=2"),
        "the configuration has no such field: tuple indices",
    ),
    "value of another type": (
        nothing,
        run_sample("--config.sampler.n_steps=many"),
        "n_steps",
    ),
    "no such configuration": (
        nothing,
        ("run", "--config=configs/absent.py"),
        "absent.py",
    ),
    "no steps": (
        nothing,
        run_sample("--config.sampler.n_steps=0"),
        "n_steps must be at least 1",
    ),
    "no images": (
        nothing,
        run_sample("--config.data.n_images=0"),
        "n_images must be at least 1",
    ),
    "no batch": (nothing, run_sample("--config.sampler.batch_size=0"), "batch_size"),
    "noise below nought": (
        nothing,
        run_sample("--config.task.noise_std=-0.1"),
        "noise_std",
    ),
    "eta above one": (nothing, run_sample("--config.sampler.eta=1.5"), "eta"),
    "acceleration below one": (
        nothing,
        run_sample("--config.task.acceleration=0.5"),
        "acceleration must be at least 1",
    ),
    "an unknown method": (nothing, run_sample("--config.method=mgmd"), "mgmd"),
    "a flag that is none": (nothing, run_sample("--n_steps=5"), "n_steps"),
    "a configuration's variant": (
        nothing,
        ("run", f"--config={CONFIGS}/mri_brats.py:big"),
        "variants are :smoke, :demo and :paper",
    ),
    "a word too much": (nothing, run_sample("extra"), "extra"),
    "a sweep of nothing": (mri(), sweep(), "nothing to sweep"),
    "a sweep below nought": (
        mri(),
        sweep("--config.sweep.zeta=(0.1,-1)"),
        "sweep.zeta must hold numbers that are not negative",
    ),
    "a sweep of words": (mri(), sweep("--config.sweep.lam=abc"), "sweep.lam must hold"),
    "a sweep of halves of steps": (
        mri(),
        sweep("--config.sweep.n_steps=2.5"),
        "n_steps must hold whole numbers",
    ),
    "a sweep of too many steps": (
        mri(reference=np.ones((1, SIZE, SIZE))),
        sweep("--config.sweep.n_steps=(2,1001)"),
        "n_steps must lie",
    ),
    "an empty range": (
        mri(),
        sweep("--config.sweep.strategy=random", "--config.sweep.zeta=(1,0.1)"),
        "low below high",
    ),
    "an unknown strategy": (
        mri(),
        sweep("--config.sweep.strategy=magic", "--config.sweep.zeta=1"),
        "sweep.strategy must be one of grid, random, bayesian",
    ),
    "no candidates": (
        mri(),
        sweep("--config.sweep.n_trials=0", "--config.sweep.zeta=1"),
        "sweep.n_trials must be at least 1",
    ),
    "a sweep without references": (
        mri(),
        sweep("--config.sweep.zeta=1"),
        "has no reference to compare with",
    ),
    "the folder of another sweep": (
        another_sweep,
        sweep("--config.sweep.zeta=1"),
        "holds another sweep",
    ),
    "the folder of a table": (
        a_table_of_its_own,
        sweep("--config.sweep.zeta=1"),
        "no table of a sweep",
    ),
    "the folder of a run": (
        finished,
        sweep("--config.sweep.zeta=1"),
        "holds a finished run",
    ),
    "samples below one": (
        arrays(),
        reconstruct("--kspace=k.npy", "--n-samples=0"),
        "n_samples",
    ),
    "training on nothing": (
        nothing,
        ("train", f"--config={CONFIGS}/priors/brain_t1.py:paper", "--workdir=out"),
        "give --config.data.path",
    ),
    "training on a scan": (
        mri(),
        (
            "train",
            f"--config={CONFIGS}/priors/brain_t1.py:paper",
            "--workdir=out",
            "--config.data.path=scan.h5",
        ),
        "holds no prepared images",
    ),
}


@pytest.fixture(scope="module")
def priors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("priors")
    return [tiny.write_prior(folder, s, c) for s, c in ((32, 1), (48, 1), (32, 2))]


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


@pytest.mark.parametrize("name", ROWS)
def test_bad_input_is_one_line(name, tmp_path, priors):
    make, (module, *words), message = ROWS[name]
    folder = tmp_path / "here"
    folder.mkdir()
    for prior in map(Path, priors):
        (folder / prior.name).write_bytes(prior.read_bytes())
    make(folder)
    check_refused(folder, module, words, message)
