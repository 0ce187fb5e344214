"""Figure 3: PSNR and SSIM over acceleration, and over network evaluations at 4x.

The numbers of a method are those tuned at 100 steps for the nearest level, as a user
would find them; the paper's curves are not printed as numbers.

    python -m experiments.fig3_nfe_acceleration
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import app, flags
from matplotlib import figure

from experiments import report, scoring, tables
from mgdm_jax import hyperparameters, metrics

ROWS = ("dps", "ddnm", "mgdm")

_ACCELERATIONS = flags.DEFINE_list(
    "accelerations", ["4", "8", "12", "24"], "Upper row."
)
_STEPS = flags.DEFINE_list(
    "nfe", ["20", "50", "100", "200", "350"], "Lower row, at 4x."
)

COLUMNS = (
    *("abscissa", "value", "row", "psnr_mean", "psnr_std", "ssim_mean", "ssim_std"),
    *("lead_mean", "lead_low", "lead_high", "nfe", "backward", "seconds"),
)
"""Of the CSV; the lead is MGDM's, paired, with its interval."""

Curves = dict[str, list[tuple[float, dict]]]
"""Row -> (abscissa, `scoring.score`'s result), ascending."""


def curves(points: list[tuple[float, float, int]]) -> Curves:
    """Return the rows' results at (abscissa, acceleration, steps)."""
    found: Curves = {name: [] for name in ("baseline", *ROWS)}
    for abscissa, acceleration, n_steps in points:
        config = tables.configured("mri_brats")
        config = hyperparameters.with_level(config, acceleration)
        config.sampler.n_steps = n_steps
        results = scoring.collect(config, list(ROWS), tables.folder())
        for name, result in results.items():
            found[name].append((abscissa, result))
    return found


def draw(panels: dict[str, Curves]) -> figure.Figure:
    """Return a row of PSNR and SSIM for each abscissa."""
    fig = figure.Figure((8, 3 * len(panels)), layout="constrained")
    grid = fig.subplots(len(panels), 2, squeeze=False)
    for axes_row, (abscissa, found) in zip(grid, panels.items(), strict=True):
        for ax, score in zip(axes_row, ("psnr", "ssim"), strict=True):
            for name, points in found.items():
                x = [point for point, _ in points]
                ax.plot(x, [np.mean(r[score]) for _, r in points], "o-", label=name)
            ax.set_xlabel(abscissa)
            ax.set_ylabel("PSNR / dB" if score == "psnr" else "SSIM")
    grid[0, 0].legend(fontsize="small")
    return fig


def numbers(result: dict, ours: dict) -> list[float]:
    """Return those of `COLUMNS`."""
    lead = report.paired_lead(ours, result)
    scores = [np.asarray(result[k]) for k in ("psnr", "ssim")]
    found = [f(values) for values in scores for f in (np.mean, np.std)]
    found += [lead.mean(), *metrics.interval_or_range(lead)]
    cost = [result["nfe"], result.get("backward", 0), result["seconds"]]
    return [*(round(float(value), 4) for value in found), *cost]


def sections(panels: dict[str, Curves]) -> Iterator[str]:
    """Yield the table of every point under its heading."""
    for abscissa, found in panels.items():
        for i, (value, _) in enumerate(found["mgdm"]):
            results = {name: points[i][1] for name, points in found.items()}
            yield f"## {abscissa}: {value:g}\n\n{report.markdown(results, {}, '')}"


def write(panels: dict[str, Curves], stem: Path) -> None:
    """Write the points as CSV and Markdown, and the figure as PNG and PDF."""
    rows = [
        (abscissa, value, name, *numbers(result, ours))
        for abscissa, found in panels.items()
        for name, points in found.items()
        for (value, result), (_, ours) in zip(points, found["mgdm"], strict=True)
    ]
    with stem.with_suffix(".csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    stem.with_suffix(".md").write_text("\n".join(sections(panels)))
    fig = draw(panels)
    fig.savefig(stem.with_suffix(".png"), dpi=150)
    fig.savefig(stem.with_suffix(".pdf"))


def main(argv: list[str]) -> None:
    """Run what is not kept, and write."""
    del argv
    steps = tables.STEPS.value
    rates, counts = map(float, _ACCELERATIONS.value), map(int, _STEPS.value)
    panels = {
        f"acceleration, {steps} steps": curves([(r, r, steps) for r in rates]),
        "network evaluations at 4x": curves([(n, 4.0, n) for n in counts]),
    }
    stem = tables.folder() / "fig3_nfe_acceleration"
    write(panels, stem)
    print(f"wrote {stem}.csv, .md, .png, .pdf", flush=True)


if __name__ == "__main__":
    app.run(main)
