"""The table of a sweep: a row a candidate, as a file and for a terminal."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, SupportsFloat

import numpy as np

from mgdm_jax import metrics
from mgdm_jax.storage import aside
from mgdm_jax.sweeping import criteria
from mgdm_jax.sweeping.evaluation import Outcome
from mgdm_jax.sweeps import Numbers

SHOWN = 10
"""Rows of the printed table."""


class Row(NamedTuple):
    """One candidate and its means over the images, as `metrics.json` names them.

    The merit is the criterion's, see `criteria`; without references scores are NaN.
    Six digits, so that a table read again is the one that was written.
    """

    n_steps: int
    zeta: float
    lam: float
    rho: float
    eta: float
    psnr_mean: float
    psnr_std: float
    ssim_mean: float
    ssim_std: float
    n_diverged: int
    nfe: int
    data_residual_mean: float
    merit: float

    @property
    def key(self) -> tuple[float, ...]:
        """What tells candidates apart: number of steps, ζ, λ, ρ, η."""
        return self[: 1 + len(Numbers._fields)]


def rows_of(
    candidates: Sequence[Numbers],
    n_steps: int,
    nfe: int,
    outcome: Outcome,
    seen: np.ndarray,
) -> list[Row]:
    """Return the rows of candidates.

    Args:
      candidates: s of them.
      n_steps: of the sampler.
      nfe: network evaluations of one image.
      outcome: [s, n].
      seen: [n], whether the image counts: a blank reference has no peak.
    """
    return [
        Row(
            n_steps,
            *numbers,
            psnr_mean=_six(outcome.scores.psnr[i, seen].mean()),
            psnr_std=_six(outcome.scores.psnr[i, seen].std()),
            ssim_mean=_six(outcome.scores.ssim[i, seen].mean()),
            ssim_std=_six(outcome.scores.ssim[i, seen].std()),
            n_diverged=int(outcome.diverged[i].sum()),
            nfe=nfe,
            data_residual_mean=_six(outcome.data_residual[i].mean()),
            merit=_merit(float(outcome.merit[i, seen].mean())),
        )
        for i, numbers in enumerate(candidates)
    ]


def _merit(value: float) -> float:
    """Return a merit for the table: what is no number is the least."""
    return _six(value) if np.isfinite(value) else -np.inf


def _six(value: SupportsFloat) -> float:
    return float(f"{float(value):.6g}")


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write the table, whole or not at all."""
    with aside.replacing(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows(rows)


def read(path: Path) -> list[Row]:
    """Return the rows of a table; none where there is no file.

    Raises:
      ValueError: if it is no table of a sweep.
    """
    if not path.exists():
        return []
    with path.open(newline="") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    kinds = [Row.__annotations__[name] for name in Row._fields]
    if tuple(header) != Row._fields or any(len(x) != len(kinds) for x in lines):
        raise ValueError(f"{path} is no table of a sweep; give another --workdir.")
    return [
        Row(*(kind(cell) for kind, cell in zip(kinds, line, strict=True)))
        for line in lines
    ]


def best(rows: Sequence[Row], criterion: str) -> Row:
    """Return the row of the largest merit, the first of equal ones.

    Without a reference nobody sees what a ζ at the cliff does to the next image: there
    none is taken from the least on at which a candidate of as many steps diverged,
    unless nothing is left, and then none that diverged itself, if there is another.
    """
    if criterion != criteria.REFERENCE:
        ends = cliffs(rows)
        below = [row for row in rows if row.zeta < ends[row.n_steps]]
        rows = below or [row for row in rows if not row.n_diverged] or rows
    return max(rows, key=lambda row: row.merit)


def all_diverged(rows: Sequence[Row], n_images: int) -> bool:
    """Return whether every image of every candidate did, so that there is no best."""
    return all(row.n_diverged >= n_images for row in rows)


def cliffs(rows: Sequence[Row]) -> dict[int, float]:
    """Return the least ζ at which one diverged of as many steps; infinite of none."""
    ends = {row.n_steps: np.inf for row in rows}
    for row in rows:
        if row.n_diverged:
            ends[row.n_steps] = min(ends[row.n_steps], row.zeta)
    return ends


def text(rows: Sequence[Row], criterion: str) -> str:
    """Return the best rows as lines for a terminal."""
    heads = ("zeta", "lam", "rho", "eta", "n_steps", "nfe")
    lines = [
        "".join(f"{head:>10}" for head in heads)
        + f"{'PSNR / dB':>16}{'SSIM':>19}{'diverged':>10}{'residual':>10}"
        + f"{'merit':>11}" * (criterion != criteria.REFERENCE)
    ]
    for row in sorted(rows, key=lambda row: -row.merit)[:SHOWN]:
        psnr = f"{row.psnr_mean:.2f} ± {row.psnr_std:.2f}"
        ssim = f"{row.ssim_mean:.4f} ± {row.ssim_std:.4f}"
        lines.append(
            "".join(f"{getattr(row, head):>10.4g}" for head in heads)
            + f"{psnr:>16}{ssim:>19}{row.n_diverged:>10}"
            + f"{row.data_residual_mean:>10.1e}"
            + f"{row.merit:>11.4g}" * (criterion != criteria.REFERENCE)
        )
    lines.append(
        f"the best {len(lines) - 1} of {len(rows)}, by {criterion}; convention: "
        f"{metrics.CONVENTION}"
    )
    return "\n".join([*lines, *_lines_of_cliffs(rows, criterion)])


def _lines_of_cliffs(rows: Sequence[Row], criterion: str) -> list[str]:
    ends, taken = cliffs(rows), best(rows, criterion)
    beyond = "the best is below that"
    if criterion == criteria.REFERENCE:
        beyond = "a best beyond that may diverge on other images"
    elif taken.zeta >= ends[taken.n_steps]:
        beyond = "no candidate is below that, nor is the best"
    return [
        f"candidates of {n_steps} steps diverged from zeta={zeta:g} on: {beyond}"
        for n_steps, zeta in ends.items()
        if zeta < np.inf
    ]
