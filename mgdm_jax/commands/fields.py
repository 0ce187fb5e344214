"""Which fields a configuration of a command has: a user's own may be any program's."""

import difflib
from collections.abc import Iterator
from typing import Any

_BEGINNING = (
    "begin get_config() with mgdm_jax.defaults.reconstruction() (of `train`: "
    "mgdm_jax.training.defaults.prior_training()), and change what differs."
)

_GROUPS = {"run": "sampler", "train": "train"}
"""Command -> the group of fields that no configuration of the other has."""

_FREE = ("tuned", "network")
"""Groups of fields of which a configuration may lack some, and have others."""

_TOLD = 5
"""Fields that a message names."""


def check(config: Any, whole: Any, other: str, most: Any = None) -> None:
    """Refuse a configuration of another command, or one of fewer fields or of others.

    ml_collections takes a field that is written to whatever its name: misspelt, it
    would change nothing, and nobody would know.

    Args:
      config: what `get_config` returned.
      whole: one with all the fields that the command reads.
      other: the command that has a group of its own, `train` of `train`.
      most: one with all that it may read, where that is more.

    Raises:
      ValueError: naming the other command, what is missing, or what is not read.
    """
    # One that could not be loaded raises why as soon as anything is asked of it.
    if not hasattr(config, "to_dict"):
        kind = type(config).__name__
        raise ValueError(
            f"get_config() must return a ConfigDict, got a {kind}; {_BEGINNING}"
        )
    group = _GROUPS[other]
    if group in config and group not in whole:
        raise ValueError(f"this configuration is for `mgdm-jax {other}`.")
    lacking = _beyond(whole, config)
    if lacking:
        raise ValueError(f"the configuration lacks {_listed(lacking)}; {_BEGINNING}")
    known = whole if most is None else most
    unread = _beyond(config, known)
    if unread:
        raise ValueError(
            "the configuration sets what nothing reads: "
            f"{_listed([_with_advice(name, known) for name in unread])}; correct it, "
            "or take it out."
        )


def _with_advice(name: str, known: Any) -> str:
    group, dot, field = name.rpartition(".")
    there = list(known[group]) if dot else list(known)
    near = difflib.get_close_matches(field, there, 1)
    return f"{name} (did you mean {group}{dot}{near[0]}?)" if near else name


def _beyond(config: Any, other: Any) -> list[str]:
    """Return what another configuration lacks; of a group it lacks, the group alone."""
    beyond, names = [], set(_names(other))
    for name in _names(config):
        if name not in names and name.partition(".")[0] not in beyond:
            beyond.append(name)
    return beyond


def _names(config: Any) -> Iterator[str]:
    """Yield the groups of a configuration and, as `group.field`, what is in them."""
    for name in config:
        yield name
        if name not in _FREE and hasattr(config[name], "to_dict"):
            yield from (f"{name}.{field}" for field in config[name])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"{', '.join(names[:_TOLD])}{more}"
