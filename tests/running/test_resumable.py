"""A run that is killed, or shared by processes, ends with the same bits."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from mgdm_jax import processes, reconstruction, run
from mgdm_jax.commands.console import Console
from mgdm_jax.data import hdf5
from mgdm_jax.running import batch_sizes, parts, resumable
from mgdm_jax.types import StepInfo

SIZE, N_IMAGES = 32, 3
NUMBERS = {"zeta": 0.1, "lam": 0.1, "rho": 0.01}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a prior and k-space of a few images."""
    made = tmp_path_factory.mktemp("resumable")
    tiny.write_prior(made, SIZE)
    mask = np.zeros((SIZE, SIZE))
    mask[:, ::2] = mask[:, SIZE // 2] = 1
    noise = np.random.default_rng(0).normal(size=(2, N_IMAGES, SIZE, SIZE))
    kspace = np.complex64(mask * (noise[0] + 1j * noise[1]))
    hdf5.write(made / "scan.h5", {"kspace": kspace, "mask": mask}, {})
    return made


@pytest.fixture(scope="module")
def whole(folder):
    """Return the workdir of a run that nobody has stopped."""
    run.run(config(folder), folder / "whole", to=Console(quiet=True))
    return folder / "whole"


def config(folder):
    """Return two samples of the images, one image at once: six parts."""
    made = load(ROOT / "mri_brats.py")
    made.prior.path = str(folder / f"tiny-{SIZE}-1.safetensors")
    made.data.path = str(folder / "scan.h5")
    made.sampler.n_steps, made.sampler.batch_size, made.sampler.n_samples = 2, 1, 2
    made.guidance.update(NUMBERS)
    return made


def check_same(one, two):
    first, second = ({p.name for p in folder.iterdir()} for folder in (one, two))
    assert first == second
    metrics = [json.loads((x / "metrics.json").read_text()) for x in (one, two)]
    assert metrics[0].pop("seconds") >= 0 and metrics[1].pop("seconds") >= 0
    assert metrics[0] == metrics[1]
    with (
        h5py.File(one / "reconstructions.h5") as a,
        h5py.File(two / "reconstructions.h5") as b,
    ):
        names = []
        a.visit(names.append)
        for name in names:
            if isinstance(a[name], h5py.Dataset):
                np.testing.assert_array_equal(a[name][()], b[name][()], name)
    assert "reconstruction" in names and "strip/x0_hat" in names and "std" in names


def test_stopped_half_way_it_goes_on_to_the_same_bits(
    folder, whole, monkeypatch, capsys
):
    fill, filled = resumable._fill, []

    def stopped(sample, job, kept):
        if len(filled) == 4:
            raise KeyboardInterrupt
        filled.append(kept.path(job))
        return fill(sample, job, kept)

    out = folder / "stopped"
    message = f"the same command with --workdir={out} goes on"
    with monkeypatch.context() as patch:
        patch.setattr(resumable, "_fill", stopped)
        with pytest.raises(KeyboardInterrupt, match=message):
            run.main(config(folder), str(out), to=Console(quiet=True))
    assert all(path.exists() for path in filled)
    filled[1].write_bytes(filled[1].read_bytes()[:-100])  # as a failing disk may
    (filled[1].parent / ".1-2.00000002-00000003.npz").touch()  # killed in writing

    other = config(folder)
    other.sampler.seed = 1
    with pytest.raises(
        ValueError, match=r"sampler\.seed is 1, was 0; write to another place"
    ):
        run.run(other, out)
    capsys.readouterr()

    again = []
    monkeypatch.setattr(
        resumable, "_fill", lambda *args: again.append(args[1]) or fill(*args)
    )
    run.main(config(folder), str(out), to=Console(as_json=True))
    told = capsys.readouterr()
    assert f"{filled[1]} is damaged; its images are drawn again.\n" in told.err
    assert len(again) == 3
    events = [json.loads(line) for line in told.out.splitlines()]
    done = [e["done"] for e in events if e["event"] == "progress"]
    assert done == [4, 5, 6]
    check_same(whole, out)


def test_as_many_images_at_once_as_fit(folder, whole, monkeypatch):
    """The size is chosen once, and noted."""
    made, sizes = config(folder), [2, 1]
    made.sampler.batch_size = 0
    monkeypatch.setattr(batch_sizes, "choose", lambda *_: sizes.pop(0))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "_write", stop)
        run.run(made, folder / "fitting", to=Console(quiet=True))
    run.run(made, folder / "fitting", to=Console(quiet=True))
    assert sizes == [1]
    written = json.loads((folder / "fitting" / "config.json").read_text())
    assert written["sampler"]["batch_size"] == 2
    paths = [x / "reconstructions.h5" for x in (whole, folder / "fitting")]
    with h5py.File(paths[0]) as one, h5py.File(paths[1]) as two:
        images = [file["reconstruction"][()] for file in (one, two)]
    np.testing.assert_allclose(*images, atol=1e-4)


def stop(*_):
    raise KeyboardInterrupt


def images_of(workdir):
    with h5py.File(workdir / "reconstructions.h5") as file:
        return file["reconstruction"][()]


@pytest.mark.long
@pytest.mark.parametrize("n_devices", [1, 2])
def test_two_processes_give_the_bits_of_one(folder, whole, n_devices):
    """Of two devices each the images to 1e-5: a batch is another one there."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    out = folder / f"shared-{n_devices}"
    made = config(folder)
    words = [
        *("-m", "mgdm_jax.run", f"--config={ROOT}/mri_brats.py", f"--workdir={out}"),
        *(f"--config.guidance.{name}={value}" for name, value in NUMBERS.items()),
        f"--config.prior.path={made.prior.path}",
        f"--config.data.path={made.data.path}",
        *("--config.sampler.n_steps=2", f"--config.sampler.batch_size={n_devices}"),
        *("--config.sampler.n_samples=2", "--n-processes=2", "--quiet"),
        f"--coordinator=localhost:{port}",
    ]
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(n_devices),
        "PYTHONPATH": str(Path(run.__file__).parents[1]),
        "MGDM_JAX_CACHE": str(folder / "cache"),
    }
    started = [
        subprocess.Popen(
            [sys.executable, *words, f"--process-id={i}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    told = [process.communicate(timeout=1200) for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    assert [words for words, _ in told] == [f"{out}\n", ""]
    np.testing.assert_allclose(images_of(out), images_of(whole), rtol=0, atol=1e-5)
    if n_devices == 1:
        check_same(whole, out)


def test_processes_of_other_settings_draw_nothing(folder, monkeypatch):
    """Each has looked at a workdir in which the leader had not begun."""
    asked = []
    monkeypatch.setattr(processes, "agree", lambda facts: bool(asked.append(facts)))
    made = config(folder)
    with pytest.raises(ValueError, match="the processes differ in their settings"):
        run.run(made, folder / "differing")
    assert '"seed"' in asked[0] and '"weights"' in asked[0]
    assert not (folder / "differing").exists()


def test_who_contributes_draws_its_share(tmp_path, monkeypatch):
    """The leader would fill up what is missing, and nobody would see it."""
    monkeypatch.setattr(processes, "index", lambda: 1)
    monkeypatch.setattr(processes, "count", lambda: 2)
    batches = [range(i, i + 1) for i in range(5)]
    drawn = []

    def sample(batch):
        drawn.append(batch)
        return reconstruction.Reconstruction(
            *4 * [np.zeros(1)], info=StepInfo(*3 * [np.zeros(1)])
        )

    with parts.opened(tmp_path, {"weights": "abc"}, lambda: 1) as kept:
        kept.note("open")
        work = threading.Thread(
            target=resumable.contribute, args=(lambda _: (sample, batches), tmp_path)
        )
        work.start()
        while not parts.noted(tmp_path, "left-1"):
            assert work.is_alive()
            time.sleep(0.01)
        assert drawn == batches[1::2]
        assert kept.present() == {kept.path(batch).name for batch in drawn}
        kept.remove()
        work.join(10)
        assert not work.is_alive()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("localhost:1", None, None), "need --coordinator, --n-processes"),
        ((None, 2, 0), "need --coordinator, --n-processes"),
        (("localhost:1", 2, 2), "--process-id must lie in 0 … 1, got 2"),
    ],
)
def test_processes_that_cannot_be_joined_are_one_line(given, message):
    with pytest.raises(ValueError, match=message):
        processes.start(*given, automatic=False)
