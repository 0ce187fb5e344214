"""The README's Python and its commands run, and are as short as it says."""

import json
import re
import shlex
from pathlib import Path

import command_server
import h5py
import numpy as np
import pytest
import scanner_files
import scipy.io
import tiny
from safetensors.numpy import save_file
from test_convert import checkpoint, reduced

from mgdm_jax import methods, priors
from mgdm_jax.sweeping import tables

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Put a prior of a few weights in the place of the shipped one."""
    path = tiny.write_prior(tmp_path)
    monkeypatch.setattr(priors, "locate", lambda _: Path(path))


def test_reconstruction_and_sweep(shipped):
    reconstruction, sweep = blocks()[:2]
    assert len(reconstruction.splitlines()) <= 15
    assert len(sweep.splitlines()) <= 10
    scope: dict = {}
    exec(reconstruction.replace("n_steps=50", "n_steps=2"), scope)
    assert scope["x"].shape == (120, 120)
    exec(sweep, scope)
    assert scope["psnr"].shape == (8,)


def test_every_method_is_listed():
    text = README.read_text()
    listed = text.split("\nMethods: ")[1].split("(unconditional)")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(methods.METHODS)


def test_what_every_method_does_about_noise_is_listed():
    page = (ROOT / "docs" / "measurements.md").read_text()
    table = page.split("| method | noise |")[1].split("\n\n")[0]
    weighed = {"ddim": False}
    for row in table.splitlines()[2:]:
        named, _, rays = row.strip("| ").split(" | ")
        names = set(re.findall(r"`(\w+)`", named))
        if "its ablations" in named:
            names = set(methods.ABLATIONS)
        weighed |= dict.fromkeys(names, rays.startswith("yes"))
    assert weighed == {name: fact.weighs for name, fact in methods.FACTS.items()}


def commands(module: str) -> list[list[str]]:
    """Return the words behind `python -m mgdm_jax.<module>`, lines joined."""
    text = README.read_text().replace("\\\n", " ")
    found = re.findall(rf"^    python -m mgdm_jax\.{module} (.*)$", text, re.M)
    return [shlex.split(words) for words in found]


def run(module, words, folder, *more):
    """Run a command of the README with tiny priors, and a checkpoint without torch."""
    instead = {
        "brain_complex": tiny.write_prior(folder, 32, 2),
        "chest_ct": tiny.write_prior(folder, 32, 1),
        "mine.pt": "mine.safetensors",
    }
    words = [instead.get(word, word) for word in words]
    done = command_server.run(module, *words, *more, cwd=folder)
    assert done.code == 0, done.err


def test_my_kspace(tmp_path):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 32, 32)) + 1j
    image = np.zeros((2, 1, 32, 32))
    image[..., 8:20, 10:25] = 0.9
    mask = np.arange(32) % 2 == 0
    mask[12:20] = True
    np.save(tmp_path / "k.npy", scanner_files.centred_fft(maps * image) * mask)
    np.save(tmp_path / "m.npy", mask.astype(np.float32))
    np.save(tmp_path / "s.npy", maps)
    words = commands("reconstruct")[0]
    assert words[words.index("--n-samples") + 1] == "8"
    run("reconstruct", words, tmp_path, "--n_steps=2", "--n-samples=3")
    with h5py.File(tmp_path / "brain.h5") as file:
        assert file["samples"].shape == (3, 2, 32, 32)


def test_my_sinogram(tmp_path):
    scipy.io.savemat(tmp_path / "s.mat", {"s": np.full((32, 5), 4.0)})
    np.save(tmp_path / "a.npy", np.arange(5) * 36.0)
    run("reconstruct", commands("reconstruct")[1], tmp_path, "--n_steps=2")
    assert np.load(tmp_path / "chest.npy").shape == (1, 32, 32)


def test_my_checkpoint(tmp_path):
    theirs = reduced("fastmri_knee_320", image_size=320)
    save_file(checkpoint(theirs), tmp_path / "mine.safetensors")
    (words,) = (words for words in commands("convert") if "mine.pt" in words)
    run("convert", words, tmp_path)
    spec, _ = priors.load(tmp_path / "runs" / "theirs" / "prior.safetensors")
    assert spec.image_shape == (320, 320, 2)


def test_the_sweep_and_a_run_on_its_best(tmp_path):
    (words,) = commands("sweep")
    words[words.index("configs/mri_brats.py")] = f"{ROOT}/configs/mri_brats.py:smoke"
    words += [
        f"--config.prior.path={tiny.write_prior(tmp_path)}",
        "--config.task.acceleration=8",
    ]
    words += ["--config.sampler.n_steps=2", "--config.method=mgdm_no_r"]
    done = command_server.run("sweep", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    assert "candidate/s" in done.err or "s/candidate" in done.err
    table = tmp_path / "runs" / "sweep" / "sweep.csv"
    best = tables.best(tables.read(table), "psnr")
    words = ["--config=runs/sweep/best.py", "--workdir=run"]
    done = command_server.run("run", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    facts = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert facts["psnr_mean"] == pytest.approx(best.psnr_mean, rel=1e-4)
    assert facts["nfe"] == best.nfe and facts["nominal_acceleration"] > 6
