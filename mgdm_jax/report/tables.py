"""The tables of a page, every cell as text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mgdm_jax import conventions
from mgdm_jax.report.finished import Finished

COLUMNS = {
    "psnr": ("PSNR / dB", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "nmse": ("NMSE", ".4f"),
}
"""Column of metrics.csv -> heading and format."""

SUMMARY = {
    "psnr": ("PSNR / dB", ".2f", "psnr_mean", "baseline_psnr_mean"),
    "ssim": ("SSIM", ".4f", "ssim_mean", "baseline_ssim_mean"),
    "nmse": ("NMSE", ".4f", "nmse_mean", ""),
    "residual": ("Data residual", ".2e", "data_residual_mean", ""),
    "gap": ("Proximal gap, worst", ".1e", "prox_gap_max", ""),
    "nfe": ("Evaluations an image", "d", "nfe", ""),
    "seconds": ("Seconds, all images", ".1f", "seconds", ""),
    "diverged": ("Diverged", "d", "n_diverged", ""),
}
"""Column of the summary -> heading, format, its fact of a method, of the baseline."""


NONE = "\N{EN DASH}"


def number(value: float | None, form: str) -> str:
    """Return a number as a cell shows it; a dash for none, ∞ for an infinite one."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return format(value, form)


def summary(runs: Sequence[Finished], names: Sequence[str]) -> dict[str, Any]:
    """Return headings and rows of what metrics.json says."""
    facts = [run.facts for run in runs]
    used = [row for row in SUMMARY.values() if any(row[2] in f for f in facts)]
    rows = [
        (name, [number(f.get(fact), form) for _, form, fact, _ in used])
        for name, f in zip(names, facts, strict=True)
    ]
    if "baseline_psnr_mean" in facts[0]:
        cells = [number(facts[0].get(fact), form) for _, form, _, fact in used]
        rows.insert(0, (runs[0].baseline_name, cells))
    return {"headings": [heading for heading, *_ in used], "rows": rows}


def of_conventions(runs: Sequence[Finished], names: Sequence[str]) -> list[Any]:
    """Return (method, convention, cells) of `conventions.side_by_side`."""
    forms = {name: form for name, (_, form) in conventions.HEADINGS.items()}
    return [
        (name, label, [number(values[key], form) for key, form in forms.items()])
        for name, run in zip(names, runs, strict=True)
        for label, values in run.facts.get("conventions", {}).items()
    ]


def per_image(
    runs: Sequence[Finished], names: Sequence[str], indices: Sequence[int]
) -> dict[str, Any]:
    """Return the column groups and rows of the table; a cell is (value, text).

    Args:
      runs: on the same data.
      names: of their methods.
      indices: images that the page shows.
    """
    groups: list[tuple[str, list[tuple[str, str, np.ndarray]]]] = []
    first = runs[0]
    if first.scores:
        columns = ((key, f"baseline_{key}") for key in ("psnr", "ssim"))
        columns = [(*COLUMNS[key], first.scores[name]) for key, name in columns]
        groups.append((first.baseline_name, columns))
    for name, run in zip(names, runs, strict=True):
        columns = [(*COLUMNS[k], run.scores[k]) for k in COLUMNS if k in run.scores]
        columns.append(("Data residual", ".2e", run.data_residual))
        groups.append((name, columns))
    flat_columns = [column for _, columns in groups for column in columns]
    rows = [
        {
            "index": i,
            "shown": i in indices,
            "diverged": any(run.diverged[i] for run in runs),
            "cells": [
                (float(values[i]), number(float(values[i]), form))
                for _, form, values in flat_columns
            ],
        }
        for i in range(len(first))
    ]
    return {"groups": groups, "rows": rows}


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the leaves of nested dictionaries by their joined names, as text."""
    found = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = NONE if value is None else str(value)
    return found


def side_by_side(trees: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """Return (name, a value of each tree) for every name in any of them."""
    names = list(dict.fromkeys(name for tree in trees for name in tree))
    return [(name, [tree.get(name, NONE) for tree in trees]) for name in names]
