"""A search that a kill does not lose: what was asked is on disk until it is done."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments import keeping


def remembering(
    evaluate: Callable, path: Path, settings: dict, stage: str, chunk: int
) -> Callable[[list[dict]], np.ndarray]:
    """Return an `evaluate` that asks only what was not asked before a kill.

    Args:
      evaluate: rows of numbers -> PSNR of each.
      path: file of what was asked.
      settings: what the answers depend on; a file of others is begun anew.
      stage: of the search, whose answers are its own.
      chunk: rows to ask for at once; a line is printed and the file written after each.
    """
    stages = _kept(path, settings)
    answers = stages.setdefault(stage, [])
    name = path.stem.removesuffix(".partial")

    def find(row: dict) -> float | None:
        same = (a["psnr"] for a in answers if all(a[k] == v for k, v in row.items()))
        return next(same, None)

    def psnr(asked: list[dict]) -> np.ndarray:
        new = [row for row in asked if find(row) is None]
        for start in range(0, len(new), chunk):
            part, started = new[start : start + chunk], time.monotonic()
            found = [float(value) for value in evaluate(part)]
            each = round((time.monotonic() - started) / len(part), 1)
            for row, value in zip(part, found, strict=True):
                answers.append(row | {"psnr": value, "seconds": each})
                told = f"{name} {stage} {row}: {value:.2f} dB, {each} s"
                print(told, flush=True)
            keeping.keep(path, {"settings": settings, "stages": stages})
        return np.array([find(row) for row in asked], float)

    return psnr


def recall(path: Path, known: dict) -> None:
    """Put a finished search where one that was broken off goes on, unless one was.

    Args:
      path: file of what was asked.
      known: its settings, stages of what it tried, and the seconds of all of that.
    """
    if path.exists() and _kept(path, known["settings"]):
        return
    each = known["seconds"] / sum(map(len, known["tried"].values()))
    stages = {
        stage: [row | {"seconds": round(each, 1)} for row in tried]
        for stage, tried in known["tried"].items()
    }
    keeping.keep(path, {"settings": known["settings"], "stages": stages})


def seconds(path: Path, settings: dict) -> float:
    """Return how long the answers took, those from before a kill as well."""
    stages = _kept(path, settings).values()
    return round(sum(row["seconds"] for stage in stages for row in stage), 1)


def _kept(path: Path, settings: dict) -> dict[str, list[dict]]:
    kept = keeping.read(path)
    return kept["stages"] if kept.get("settings") == settings else {}
