"""Results on disk, as JSON: written whole, and by several processes at once."""

import json
from pathlib import Path
from typing import Any

from mgdm_jax.storage import aside, locks


def read(path: Path) -> dict[str, Any]:
    """Return what is kept in a file, nothing where there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def keep(path: Path, result: dict[str, Any]) -> None:
    """Write a result; a killed process leaves the old one."""
    aside.write_text(path, json.dumps(result, indent=1))


def add(path: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Add an entry to a table on disk, and return the table.

    It is read anew first: another process may have added its own in the meantime.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locks.turn(path.with_name(f".{path.name}.turn")):
        table = read(path) | {name: entry}
        keep(path, table)
    return table
