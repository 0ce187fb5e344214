"""Whether two folders that commands left hold the same, whatever it took to fill them.

Arrays, weights, tables and pictures have to be the same bits. Excepted are `EXCEPTED`
and, in the report, which is made of the other files, what repeats these; of checkpoints
the time stamps and random names that orbax gives them.
"""

import csv
import json
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import orbax.checkpoint as ocp

from mgdm_jax.sweeping import bayesian

EXCEPTED = ("seconds", "git")
"""Columns and keys that tell wall time, and whether somebody edits this repository."""


def differences(reference: Path, found: Path) -> list[str]:
    """Return a line for whatever a folder lacks, has too much or has otherwise."""
    names, others = _names(reference), _names(found)
    lines = [f"{name} is missing" for name in sorted(names - others)]
    lines += [f"{name} is too much" for name in sorted(others - names)]
    for name in sorted(names & others):
        ours, theirs = (contents(folder / name) for folder in (reference, found))
        lines += [f"{name}: {line}" for line in unequal(ours, theirs)]
    return lines


def _names(folder: Path) -> set[str]:
    """Return what there is, of a checkpoint no more than its folder."""
    names = (p.relative_to(folder) for p in folder.rglob("*"))
    return {
        name.as_posix()
        for name in names
        if name.parts[0] != "checkpoints" or len(name.parts) <= 2
    }


def contents(path: Path) -> Any:
    """Return what is compared of a file, or of a folder that is a checkpoint."""
    if path.is_dir():
        return checkpoint(path) if path.parent.name == "checkpoints" else None
    match path.suffix:
        case ".h5":
            return _hdf5(path)
        case ".json":
            return _without(json.loads(path.read_text()))
        case ".csv":
            with path.open(newline="") as file:
                return [_without(row) for row in csv.DictReader(file)]
        case ".db":
            return _study(path)
        case ".html":
            return None
        case _:
            return path.read_bytes()


def checkpoint(folder: Path) -> dict[str, Any]:
    """Return the arrays of a checkpoint, on no device, and its place in the data."""
    state = folder / "state"
    with ocp.PyTreeCheckpointer() as reader:
        tree = reader.metadata(state).item_metadata.tree
        asked = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        read = reader.restore(state, args=ocp.args.PyTreeRestore(restore_args=asked))
    leaves = jax.tree_util.tree_flatten_with_path(read)[0]
    arrays = {jax.tree_util.keystr(name): values for name, values in leaves}
    found = (folder / "data").glob("*.json")
    places = {path.name: path.read_text() for path in found}
    return arrays | places


def unequal(ours: Any, theirs: Any) -> list[str]:
    """Return what of two contents is not the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        names = sorted(ours.keys() ^ theirs.keys())
        return [f"{name} is in one alone" for name in names] + [
            f"{name} {line}"
            for name in ours.keys() & theirs.keys()
            for line in unequal(ours[name], theirs[name])
        ]
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        alike = (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        same = alike and _bits(ours) == _bits(theirs)
        return [] if same else ["has other numbers"]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) != len(theirs):
        return [f"has {len(theirs)} rows in place of {len(ours)}"]
    return [] if ours == theirs else ["differs"]


def _bits(values: np.ndarray) -> Any:
    return values.tolist() if values.dtype.hasobject else values.tobytes()


def _without(facts: Any) -> Any:
    return {name: value for name, value in facts.items() if name not in EXCEPTED}


def _hdf5(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        found.update({f"{name}@{k}": np.asarray(v) for k, v in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item[()])

    with h5py.File(path) as file:
        add("", file)
        file.visititems(add)
    return found


def _study(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a Bayesian study: what was given up is no part of it."""
    config = json.loads(path.with_name("config.json").read_text())
    names, turn = [f"n_steps={config['sampler']['n_steps']}"], path.with_name(".turn")
    (study,) = bayesian.open_studies(path, names, {}, 0, turn)
    return study.rows()
