"""The page itself: what its template is given, and the rendering.

Whatever comes from a user is escaped by the template; nothing is marked safe but the
package's own style and script.
"""

import collections
import importlib.resources
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import jinja2
import numpy as np

from mgdm_jax import __version__, conventions, figures, metrics
from mgdm_jax.report import cautions, curve, paired, shown, tables
from mgdm_jax.report.finished import Finished
from mgdm_jax.storage import aside

REPORT = "report.html"
"""The page of a run, in its folder."""

SCRIPTS = ("table.js", "pixels.js", "viewer.js")
"""Parts of the page's one script, in their order."""

PRESETS = {"Soft tissue": (40, 400), "Lung": (-600, 1500), "Bone": (400, 1800)}
"""Level and width of usual CT windows, HU."""


def render(runs: Sequence[Finished]) -> str:
    """Return the page of one run, or of several on the same data, as HTML.

    Raises:
      ValueError: if they are not on the same data, see `paired.check`.
    """
    paired.check(runs)
    folder = importlib.resources.files("mgdm_jax.report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mgdm_jax.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = tables.number
    return environment.get_template("page.html.j2").render(
        _context(runs)
        | {
            "style": (folder / "page.css").read_text("utf-8"),
            "script": "\n".join((folder / f).read_text("utf-8") for f in SCRIPTS),
        }
    )


def write(runs: Sequence[Finished], path: Path) -> None:
    """Write the page of one run, or of several on the same data, whole or not at all.

    Args:
      runs: of `finished.read`.
      path: replaced if it exists.

    Raises:
      ValueError: if they are not on the same data.
      OSError: if it cannot be written.
    """
    html = render(runs)
    with aside.replacing(path) as part:
        part.write_text(html, "utf-8")


def labels(runs: Sequence[Finished]) -> list[str]:
    """Return a name of each run: its method, its folder where two have the same."""
    names = [str(run.facts["method"]) for run in runs]
    for tell in (lambda run: PurePath(run.name).name, lambda run: run.name):
        count = collections.Counter(names)
        names = [
            name if count[name] == 1 else f"{run.facts['method']} · {tell(run)}"
            for name, run in zip(names, runs, strict=True)
        ]
    return names


def _context(runs: Sequence[Finished]) -> dict[str, Any]:
    first, names = runs[0], labels(runs)
    choice = shown.choose(first)
    pictures = shown.pictures(runs, names, choice.indices)
    low, high = shown.value_range(runs)
    residuals = [run.steps for run in runs]
    return {
        "title": f"{' and '.join(names)}: {first.config.get('name') or 'scan'}",
        "version": __version__,
        "runs": runs,
        "labels": names,
        "first": first,
        "convention": metrics.CONVENTION,
        "few": metrics.FEW,
        "cautions": _cautions(runs, names),
        "summary": tables.summary(runs, names),
        "conventions": tables.of_conventions(runs, names),
        "convention_headings": [h for h, _ in conventions.HEADINGS.values()],
        "differences": [
            (names[i], paired.differences(first, run))
            for i, run in enumerate(runs)
            if i
        ],
        "table": tables.per_image(runs, names, choice.indices),
        "choice": choice,
        "pictures": pictures,
        "unit": "HU" if first.is_ct else "",
        "viewer": _viewer(runs, choice, pictures, low, high),
        "curve": curve.draw(names, residuals),
        "strips": [
            (name, run, shown.strip(run, low, high))
            for name, run in zip(names, runs, strict=True)
        ],
        "settings": tables.side_by_side([tables.flat(run.config) for run in runs]),
        "environment": tables.side_by_side(
            [tables.flat(run.environment) for run in runs]
        ),
    }


def _cautions(runs: Sequence[Finished], names: Sequence[str]) -> list[str]:
    """Return what to keep in mind, by method where methods differ in it."""
    each = [
        cautions.all_of(run.facts, np.flatnonzero(run.diverged).tolist())
        for run in runs
    ]
    shared = [text for text in each[0] if all(text in other for other in each)]
    own = [
        f"{name}: {text}"
        for name, texts in zip(names, each, strict=True)
        for text in texts
        if text not in shared
    ]
    return own + shared


def _viewer(
    runs: Sequence[Finished],
    choice: shown.Choice,
    pictures: Sequence[shown.Picture],
    low: float,
    high: float,
) -> dict[str, Any]:
    """Return what the script needs besides the images, which it finds in the page."""
    about = zip(choice.indices, choice.reasons, strict=True)
    is_ct = runs[0].is_ct
    return {
        "images": [
            {
                "index": i,
                "title": f"{i} ({why})" if why else f"{i}",
                "notes": _notes(runs, i),
            }
            for i, why in about
        ],
        "pictures": [
            {
                "key": p.key,
                "label": p.label,
                "low": p.low,
                "high": p.high,
                "map": p.is_map,
            }
            for p in pictures
        ],
        "low": low,
        "high": high,
        "unit": "HU" if is_ct else "",
        "presets": PRESETS if is_ct else {},
        "palette": list(figures.palette()),
    }


def _notes(runs: Sequence[Finished], image: int) -> dict[str, str]:
    """Return key of a picture -> what its caption says of this image."""
    notes = {
        f"method{i}": "diverged" for i, run in enumerate(runs) if run.diverged[image]
    }
    scores = {f"method{i}": (run.scores, "") for i, run in enumerate(runs)}
    scores["baseline"] = runs[0].scores, "baseline_"
    for key, (columns, prefix) in scores.items():
        if columns and key not in notes:
            psnr, ssim = (
                columns[f"{prefix}{name}"][image] for name in ("psnr", "ssim")
            )
            decibels = tables.number(float(psnr), ".2f")
            notes[key] = f"{decibels} dB, SSIM {tables.number(float(ssim), '.4f')}"
    return notes
