"""Whether a workdir's training is the one that is asked for."""

from pathlib import Path

from mgdm_jax import fingerprints, processes
from mgdm_jax.defaults import Config
from mgdm_jax.training import checkpoints

CONFIG = "config.json"

MAY_CHANGE = (
    *("train.n_steps", "train.decay_share"),
    *(f"train.{what}_every" for what in ("log", "validate", "save", "sample")),
)
"""Settings that a training may go on with others of: how long, and what it shows."""


def newest(workdir: Path, config: Config) -> int:
    """Return the step to go on from, of which all processes must know; 0 at first.

    Raises:
      ValueError: on all of them, if they do not, or for what `check` refuses.
    """
    with processes.together():
        step = checkpoints.newest_step(workdir / "checkpoints")
        check(workdir, config)
    if not processes.agree(f"{step} {config}"):
        raise ValueError(
            f"the processes differ in their configuration, or in what {workdir} holds; "
            "start all with the same flags, in a --workdir that all can reach."
        )
    return step


def check(workdir: Path, config: Config) -> None:
    """Refuse a folder of another training; one without a config.json is taken.

    Checkpoints know shapes alone: they would be gone on with, on other data or for
    another loss.

    Raises:
      ValueError: with one line, naming what differs.
    """
    if differing := fingerprints.changes(workdir / CONFIG, config, MAY_CHANGE):
        raise ValueError(
            f"{workdir} holds another training: {differing}; give another --workdir, "
            "and its prior.safetensors as --config.init to begin with its weights."
        )
