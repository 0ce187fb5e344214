"""The table of a training's losses, `metrics.csv`, of which no row is lost or twice."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mgdm_jax.storage import aside


def append(path: Path, row: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Append a row, to a new file below a header.

    Args:
      path: of the table.
      row: step, loss, seconds, and evaluations where there are any.
      columns: what is evaluated, of each of the image sets "val" and "train".
    """
    evaluated = [f"{name}_{column}" for name in ("val", "train") for column in columns]
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, ["step", "loss", "seconds", *evaluated])
        if new:
            writer.writeheader()
        writer.writerow(row)


def check_finite(row: Mapping[str, Any]) -> None:
    """Stop a training that has diverged, before its checkpoints are replaced.

    Raises:
      ValueError: if the row's loss is not finite.
    """
    if not math.isfinite(row["loss"]):
        raise ValueError(
            f"the loss is not finite by step {row['step']}; the checkpoint before it "
            "is kept. Look for images that are not finite, or begin with its weights, "
            "--config.init, and a smaller train.learning_rate in another --workdir."
        )


def forget_after(path: Path, step: int) -> None:
    """Drop the rows of steps that a killed training had not saved: they come again.

    So does a row that was cut short. Line ends stay what `append` makes them.
    """
    if not path.exists():
        return
    lines = [
        x for x in path.read_bytes().splitlines(keepends=True) if x.endswith(b"\n")
    ]
    if not lines:  # killed before the header was written
        path.unlink()
        return
    kept = [line for line in lines[1:] if int(line.split(b",")[0]) <= step]
    with aside.replacing(path) as part:
        part.write_bytes(b"".join([lines[0], *kept]))
