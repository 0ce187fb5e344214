"""Whether a workdir's training is the one that is asked for."""

from pathlib import Path

from mgdm_jax import fingerprints
from mgdm_jax.defaults import Config

CONFIG = "config.json"

MAY_CHANGE = (
    *("train.n_steps", "train.decay_share"),
    *(f"train.{what}_every" for what in ("log", "validate", "save", "sample")),
)
"""Settings that a training may go on with others of: how long, and what it shows."""


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
