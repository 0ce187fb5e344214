"""Tables of results as Markdown and CSV, ours beside the paper's."""
# ruff: noqa: RUF001 - tables are written with ζ, ρ and ×.

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from experiments import scoring
from experiments.markdown import table
from mgdm_jax import metrics

PaperRow = tuple[str, str]
"""PSNR and SSIM as the paper prints them."""

MARKS = {"": "", "starting values": " †"}
"""Where a row's numbers come from -> its mark; another task's is ‡."""

NOTES = """
{source}{facts}. PSNR and SSIM: {convention}, mean ± standard deviation over slices,
which are of one person unless the data say otherwise. MGDM's lead is paired, its 95 %
bootstrap interval over slices; of fewer than {few} slices the smallest and the largest
lead. Rows of fewer slices share these with MGDM: compare their lead, not their mean.
Seconds an image on a shared machine, compilation in them. † starting values, chosen
for nothing; ‡ numbers chosen for another level, mask or noise.
"""


def markdown(
    results: scoring.Results, paper: Mapping[str, PaperRow], source: str
) -> str:
    """Return the table: mean ± std, MGDM's lead with its interval, cost, the paper's.

    Args:
      results: of `scoring.collect`; without a row `mgdm` there are no leads.
      paper: rows that the paper has.
      source: the paper's data set, for the heading; empty for no such column.
    """
    names = ["method", "slices", "PSNR / dB", "SSIM", "MGDM's lead / dB"]
    names += ["ζ, λ, ρ, η", "NFE + backward", "s"]
    names += [f"paper, on {source}: PSNR, SSIM"] if source else []
    lines = []
    for name, row in results.items():
        cells = _cells(name, row, results.get("mgdm"))
        if source:
            cells.append(", ".join(paper.get(name, ("-",))))
        lines.append(cells)
    return table(names, lines) + "\n" + _notes(results)


def _cells(name: str, row: dict, ours: dict | None) -> list[str]:
    psnr, ssim = np.asarray(row["psnr"]), np.asarray(row["ssim"])
    n_broken = row.get("n_broken", 0)
    numbers = row.get("settings", {}).get("numbers", ())
    mark = MARKS.get(row.get("origin", ""), " ‡")
    return [
        name,
        f"{len(psnr)}" + (f", {n_broken} broke down" if n_broken else ""),
        f"{psnr.mean():.2f} ± {psnr.std():.2f}",
        f"{ssim.mean():.4f} ± {ssim.std():.4f}",
        "" if ours is None or name == "mgdm" else lead(ours, row),
        ", ".join(f"{value:.2g}" for value in numbers) + (mark if numbers else ""),
        f"{row['nfe']} + {row.get('backward', 0)}",
        _seconds(row),
    ]


def _seconds(row: dict) -> str:
    device = row.get("device", "cpu").removeprefix("NVIDIA ")
    return f"{row['seconds']:.1f}" + (f" ({device})" if device != "cpu" else "")


def _notes(results: scoring.Results) -> str:
    facts = dict(results["baseline"].get("facts", {}))
    source = facts.pop("data", "")
    listed = "".join(f"; {k.replace('_', ' ')} {v}" for k, v in facts.items() if v)
    return NOTES.format(
        source=source, facts=listed, convention=metrics.CONVENTION, few=metrics.FEW
    )


def paired_lead(ours: dict, other: dict) -> np.ndarray:
    """Return MGDM's PSNR minus another row's on the slices that both have.

    Raises:
      ValueError: if the fewer slices are not among the more.
    """
    n, m = len(ours["psnr"]), len(other["psnr"])
    shared = scoring.shared_slices(n, m)
    return np.asarray(ours["psnr"])[shared] - np.asarray(other["psnr"])


def lead(ours: dict, other: dict) -> str:
    """Return MGDM's mean paired lead with its interval, or of few slices its range."""
    leads = paired_lead(ours, other)
    low, high = metrics.interval_or_range(leads)
    if len(leads) < metrics.FEW:
        return f"{leads.mean():+.2f} ({low:+.2f} … {high:+.2f})"
    return f"{leads.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def write_csv(results: scoring.Results, path: Path) -> None:
    """Write one line a row and slice."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("row", "slice", "psnr", "ssim"))
        for name, row in results.items():
            for i, pair in enumerate(zip(row["psnr"], row["ssim"], strict=True)):
                writer.writerow((name, i, *(f"{value:.5g}" for value in pair)))
