"""Checkpoints of a training; the only home of orbax."""

import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import grain
import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from mgdm_jax import processes
from mgdm_jax.training.steps import TrainState

DIGEST = "sha256"
"""File of a save: the digest of its other files. orbax notices no flipped bits."""


class Checkpoints:
    """Keeps the newest states of one training, with the position in its data.

    A run that was killed while saving resumes from the save before. So does one whose
    newest save was damaged since; that one is removed with a warning. Of several
    processes all make these calls, each with its own place in the data.

    Args:
      folder: where they lie; made when missing.
      keep: how many are kept.

    Raises:
      ValueError: if there are some, and all are damaged.
    """

    def __init__(self, folder: str | os.PathLike, keep: int = 2):
        self._folder = Path(folder).absolute()
        if processes.leads():
            _remove_damaged(self._folder)
        processes.meet()
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=checkpoint_managers.LatestN(keep),
                # The next step donates the state's buffers: write them out first.
                enable_async_checkpointing=False,
                # What a run left that was killed while saving.
                cleanup_tmp_directories=True,
            ),
            item_names=("state", "data"),
        )

    def save(self, state: TrainState, iterator: Any) -> None:
        """Save under the state's step; returns when it lies on disk."""
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),
                data=grain.checkpoint.CheckpointSave(iterator),
            ),
        )
        if processes.leads():
            saved = self._folder / f"{int(state.step)}"
            (saved / DIGEST).write_text(_digest(saved))

    def restore(self, state: TrainState, iterator: Any) -> TrainState | None:
        """Return the newest state and wind the iterator, or None without any.

        Args:
          state: gives the structure, shapes and shardings.
          iterator: grain iterator, set in place.

        Raises:
          ValueError: if it was saved by another number of processes.
        """
        step, count = self._manager.latest_step(), processes.count()
        if step is None:
            return None
        places = len([*(self._folder / f"{step}" / "data").glob("process_*.json")])
        if places != count:
            raise ValueError(
                f"the checkpoints in {self._folder} are of {places} processes; go on "
                f"with as many, not with {count}."
            )
        abstract = jax.tree.map(ocp.tree.to_shape_dtype_struct, state)
        restored = self._manager.restore(
            None,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(abstract),
                data=grain.checkpoint.CheckpointRestore(iterator),
            ),
        )
        return restored["state"]

    def close(self) -> None:
        """Close the manager."""
        self._manager.close()


def newest_step(folder: str | os.PathLike) -> int:
    """Return the step of the newest state in a folder, 0 where there is none."""
    return max(_steps(Path(folder)), default=0)


def _steps(folder: Path) -> list[int]:
    """Return the steps that were saved, the newest first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _remove_damaged(folder: Path) -> None:
    """Remove the newest saves up to one that is whole."""
    steps = _steps(folder)
    whole = next((step for step in steps if _is_whole(folder, step, steps)), None)
    if steps and whole is None:
        raise ValueError(
            f"all checkpoints in {folder} are damaged; remove it to begin anew."
        )
    for step in steps[: steps.index(whole)] if whole is not None else ():
        logging.warning("checkpoint %d is damaged: going on from %d", step, whole)
        shutil.rmtree(folder / f"{step}")


def _is_whole(folder: Path, step: int, steps: list[int]) -> bool:
    """Return whether a save is what it was.

    One without a digest was killed before it had one, if one before it has; else it is
    an earlier version's, or the first, and taken for whole.
    """
    noted = _noted(folder / f"{step}")
    if noted:
        return noted == _digest(folder / f"{step}")
    return not any(_noted(folder / f"{other}") for other in steps if other < step)


def _noted(saved: Path) -> str:
    path = saved / DIGEST
    return path.read_text(errors="replace") if path.exists() else ""


def _digest(saved: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(saved.rglob("*")):
        if path.is_file() and path.name != DIGEST:
            digest.update(f"{path.relative_to(saved)} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
