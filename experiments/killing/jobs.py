"""The commands that `kills` kills, on small data, and how far they have come.

Each writes into `out` of the folder it is started in, so that two of them leave the
same whatever their folders are called.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments import tiny_prior
from mgdm_jax.sweeping import tables
from mgdm_jax.training import checkpoints

N_STEPS, N_CANDIDATES, N_VOLUMES, N_IMAGES = 60, 24, 12, 16
"""What a training, a sweep, a preparation and a run have to do.

Much, beside starting and compiling: else few kills would fall in between.
"""


@dataclasses.dataclass(frozen=True)
class Job:
    """A command and what is known about it.

    Attributes:
      name: of the job.
      words: after `python -m mgdm_jax.`.
      done: folder -> how much of `total` is safe there.
      total: of what there is to do.
      unit: what is counted.
      refusal: what it says, and fails, where all is done already; empty: it does not.
    """

    name: str
    words: tuple[str, ...]
    done: Callable[[Path], int]
    total: int
    unit: str
    refusal: str = ""


def make(inputs: Path, names: Sequence[str]) -> list[Job]:
    """Write the inputs of jobs into a folder and return these.

    Raises:
      ValueError: for a name that there is none of.
    """
    prior = tiny_prior.write(inputs)
    volumes = inputs / "volumes"
    jobs = {
        job.name: job
        for job in (
            training(),
            sweep("sweep-grid", prior, GRID),
            sweep("sweep-bayesian", prior, BAYESIAN),
            preparation("prepare", volumes, 1),
            preparation("prepare-2-workers", volumes, 2),
            run(prior),
        )
    }
    strange = set(names) - set(jobs)
    if strange:
        raise ValueError(f"jobs are {', '.join(jobs)}; got {', '.join(strange)}.")
    if any(name.startswith("prepare") for name in names):
        write_volumes(volumes)
    return [jobs[name] for name in names]


NAMES = ("train", "sweep-grid", "sweep-bayesian", "prepare", "prepare-2-workers", "run")
"""Jobs of the table."""


def training() -> Job:
    """Return a training that saves every other step and draws half-way."""
    settings = {
        "network.channel_mult": "(1.0,)",
        "network.patch": 8,
        "data.subjects": "mni152",
        "data.held_back": "",
        "train.n_steps": N_STEPS,
        "train.log_every": 1,
        "train.validate_every": N_STEPS // 3,
        "train.sample_every": N_STEPS // 2,
    }
    words = ("train", "--config=priors/brain_t1:smoke", *_flags(settings))
    return Job("train", words, saved_steps, N_STEPS, "steps")


GRID = {
    "sweep.zeta": "(0.1,0.2,0.3,0.4,0.5,0.6,0.8,1.0)",
    "sweep.rho": "(0.0,0.05,0.1)",
    "sweep.batch_size": 1,
}

BAYESIAN = {
    "sweep.strategy": "bayesian",
    "sweep.zeta": "(0.1,10.0)",
    "sweep.rho": "(0.0,0.1)",
    "sweep.n_trials": N_CANDIDATES,
    "sweep.batch_size": 3,
}


def sweep(name: str, prior: Path, settings: dict[str, object]) -> Job:
    """Return a sweep over ζ and ρ."""
    settings = {
        "prior.path": prior,
        "data.split": "train",
        "data.subject": "itk_mprage",
        "sampler.n_steps": 20,
    } | settings
    words = ("sweep", "--config=mri_brats:smoke", *_flags(settings))
    return Job(name, words, table_rows, N_CANDIDATES, "candidates")


def preparation(name: str, volumes: Path, workers: int) -> Job:
    """Return a preparation of NIfTI volumes."""
    words = ("prepare", "nifti", f"--in={volumes}", "--out=out/images.h5")
    words += (f"--workers={workers}",)
    return Job(name, words, prepared_volumes, N_VOLUMES, "volumes", "exists; give")


def run(prior: Path) -> Job:
    """Return a reconstruction of images one by one."""
    settings = {
        "prior.path": prior,
        "data.n_images": N_IMAGES,
        "sampler.batch_size": 1,
        "sampler.n_steps": 100,
    }
    words = ("run", "--config=mri_brats:smoke", "--log_format=json", *_flags(settings))
    return Job("run", words, told_images, N_IMAGES, "images", "holds a finished run")


def _flags(settings: dict[str, object]) -> tuple[str, ...]:
    flags = (f"--config.{name}={value}" for name, value in settings.items())
    return (*flags, "--workdir=out")


def saved_steps(folder: Path) -> int:
    """Return the step of a training's newest checkpoint."""
    return checkpoints.newest_step(folder / "out" / "checkpoints")


def table_rows(folder: Path) -> int:
    """Return the rows of a sweep's table."""
    return len(tables.read(folder / "out" / "sweep.csv"))


def prepared_volumes(folder: Path) -> int:
    """Return the finished volumes of a preparation."""
    if (folder / "out" / "images.h5").exists():
        return N_VOLUMES
    parts = folder / "out" / "images.h5.parts"
    return sum(part.name[0] != "." for part in parts.glob("*.h5"))


def told_images(folder: Path) -> int:
    """Return the images that a run has told of last."""
    lines = (folder / "log").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith('{"event": "prog')]
    return told[-1]["done"] if told else 0


def write_volumes(folder: Path) -> None:
    """Write NIfTI volumes of noise, each a subject's."""
    import nibabel

    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(N_VOLUMES):
        values = rng.integers(0, 900, (96, 96, 24)).astype(np.int16)
        image = nibabel.Nifti1Image(values, np.eye(4))
        nibabel.save(image, folder / f"sub-{i:02d}.nii.gz")
