"""The process that a foreign network was trained on: as told, or as its scheduler says.

Where diffusers' `save_pretrained` wrote a pipeline, `scheduler/scheduler_config.json`
lies beside the network's folder; of repositories of one network it lies within.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mgdm_jax.converting import fields
from mgdm_jax.data import blame

SCHEDULES = ("linear", "cosine", "scaled_linear")


class Process(NamedTuple):
    """Facts of `priors.PriorSpec` that no tensor tells."""

    prediction: str = "eps"
    schedule: str = "linear"
    n_train: int = 1000
    betas: tuple[float, float] | None = None


USUAL = Process()

_PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
_SCHEDULES = {
    "linear": "linear",
    "scaled_linear": "scaled_linear",
    "squaredcos_cap_v2": "cosine",
}
"""Of diffusers by name -> ours."""

_UNKNOWN = {"trained_betas": None, "rescale_betas_zero_snr": False}
"""Fields without counterpart here, and what they must be."""


def beside(folder: str | Path) -> Process | None:
    """Return what the scheduler of a diffusers network says, None without one.

    Raises:
      ValueError: naming a field that has no counterpart here.
    """
    folder = Path(folder)
    for path in (
        folder / "scheduler_config.json",
        folder.parent / "scheduler" / "scheduler_config.json",
    ):
        if path.is_file():
            described = fields.read(path)
            with blame.blaming(path):
                return _parsed(described)
    return None


def _parsed(said: Mapping[str, Any]) -> Process:
    for name, value in _UNKNOWN.items():
        if said.get(name, value) != value:
            raise ValueError(
                f"a scheduler with {name}={said[name]!r} has no counterpart here; "
                f"expected {value!r}."
            )
    schedule = _known(said, "beta_schedule", "", _SCHEDULES)
    ends = said.get("beta_start", 1e-4), said.get("beta_end", 0.02)
    n_train = said.get("num_train_timesteps", 1000)
    if type(n_train) is not int or not all(type(end) is float for end in ends):
        raise ValueError(f"it has {n_train!r} training timesteps, β {ends}.")
    return Process(
        prediction=_known(said, "prediction_type", "epsilon", _PREDICTIONS),
        schedule=schedule,
        n_train=n_train,
        betas=None if schedule == "cosine" else ends,
    )


def _known(
    said: Mapping[str, Any], name: str, default: str, ours: Mapping[str, str]
) -> str:
    """Return our name of a field's value, whose default diffusers leaves out."""
    value = said.get(name, default)
    if not isinstance(value, str) or value not in ours:
        raise ValueError(
            f"a scheduler with {name}={value!r} has no counterpart here; expected one "
            f"of {', '.join(ours)}."
        )
    return ours[value]


def settled(told: Mapping[str, Any], said: Process | None) -> Process:
    """Return the process of both: what is told, what the scheduler said, the usual.

    Args:
      told: fields of `Process`, None where nothing is told.
      said: by the scheduler, if there is one.

    Raises:
      ValueError: if they contradict each other.
    """
    given = {name: value for name, value in told.items() if value is not None}
    for name, value in given.items():
        if said and getattr(said, name) != value:
            raise ValueError(
                f"--{name} says {value}, the checkpoint's scheduler_config.json "
                f"{getattr(said, name)}; leave the flag out, or mend the file."
            )
    return (said or USUAL)._replace(**given)
