"""Checkpoints of a training; the only home of orbax."""

import os
from pathlib import Path
from typing import Any

import grain
import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from mgdm_jax.training import TrainState


class Checkpoints:
    """Keeps the newest states of one training, with the position in its data.

    Saving is atomic: a run killed while saving resumes from the save before.

    Args:
      folder: where they lie; made when missing.
      keep: how many are kept.
    """

    def __init__(self, folder: str | os.PathLike, keep: int = 2):
        self._manager = ocp.CheckpointManager(
            Path(folder).absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=checkpoint_managers.LatestN(keep),
                # The next step donates the state's buffers: write them out first.
                enable_async_checkpointing=False,
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

    def restore(self, state: TrainState, iterator: Any) -> TrainState | None:
        """Return the newest state and wind the iterator, or None without any.

        Args:
          state: gives the structure, shapes and shardings.
          iterator: grain iterator, set in place.
        """
        if self._manager.latest_step() is None:
            return None
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
    if not Path(folder).is_dir():
        return 0
    with ocp.CheckpointManager(Path(folder).absolute()) as manager:
        return manager.latest_step() or 0
