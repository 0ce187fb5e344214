"""What results depend on, in a form that can be compared with what it was before."""

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mgdm_jax import priors
from mgdm_jax.defaults import Config
from mgdm_jax.storage import aside

SHOWN = 3
"""Differences that are named."""


def digest(arrays: Iterable[Any]) -> str:
    """Return sixteen digits of what the arrays hold, in their order."""
    found = hashlib.sha256()
    for array in arrays:
        flat = np.ascontiguousarray(array).reshape(-1)
        found.update(flat.view(np.uint8).data)  # bfloat16 has no buffer of its own
    return found.hexdigest()[:16]


def plain(config: Config) -> dict[str, Any]:
    """Return the configuration as JSON gives it back."""
    return json.loads(config.to_json_best_effort())


def keep(path: Path, config: Config) -> None:
    """Write a configuration for `changes` to look at."""
    aside.write_text(path, json.dumps(plain(config), indent=2))


def changes(path: Path, config: Config, may_change: Container[str]) -> str:
    """Return what of a kept configuration differs now, in words; nothing without one.

    Args:
      path: of `keep`.
      config: as it is now.
      may_change: fields, `group.name`, that are not compared.

    Raises:
      ValueError: if the file is damaged.
    """
    before = read(path)
    return "" if before is None else differences(before, plain(config), may_change)


def read(path: Path) -> dict[str, Any] | None:
    """Return the facts that a file holds, None where there is none.

    Raises:
      ValueError: if it is damaged.
    """
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged; give another --workdir.")
    return found


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], may_change: Container[str] = ()
) -> str:
    """Return which facts differ and how, in words; nothing where none does.

    Args:
      before: nested facts.
      now: the same, as they are.
      may_change: fields, `group.name`, that are not compared.
    """
    was, is_ = priors.flatten(dict(before)), priors.flatten(dict(now))
    found = [
        f"{name} is {is_.get(name)!r}, was {was.get(name)!r}"
        for name in sorted(was.keys() | is_.keys())
        if was.get(name) != is_.get(name) and name not in may_change
    ]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more
