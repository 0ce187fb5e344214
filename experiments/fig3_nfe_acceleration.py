"""Figure 3: PSNR and SSIM over acceleration, and over network evaluations at 4x.

The numbers of a method are those tuned at 100 steps for the nearest level, as a user
would find them; the paper's curves are not printed as numbers.

    python -m experiments.fig3_nfe_acceleration
"""

import csv
from pathlib import Path

import numpy as np
from absl import app, flags
from matplotlib import figure

from experiments import report, scoring, tables
from mgdm_jax import hyperparameters

ROWS = ("dps", "ddnm", "mgdm")

_ACCELERATIONS = flags.DEFINE_list(
    "accelerations", ["4", "8", "12", "24"], "Upper row."
)
_STEPS = flags.DEFINE_list(
    "nfe", ["20", "50", "100", "200", "350"], "Lower row, at 4x."
)

COLUMNS = (
    *("abscissa", "value", "row", "PSNR / dB", "SSIM", "MGDM's lead / dB"),
    *("NFE + backward", "s"),
)

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


def lines(panels: dict[str, Curves]) -> list[list[str]]:
    """Return `COLUMNS` of every point: means ± deviations, MGDM's paired lead, cost."""
    found = []
    for abscissa, rows in panels.items():
        for name, points in rows.items():
            for (value, result), (_, ours) in zip(points, rows["mgdm"], strict=True):
                scores = [result[k] for k in ("psnr", "ssim")]
                means = [f"{np.mean(v):.4f} ± {np.std(v):.4f}" for v in scores]
                lead = "" if name == "mgdm" else report.lead(ours, result)
                cost = f"{result['nfe']} + {result.get('backward', 0)}"
                seconds = f"{result['seconds']:.1f}"
                found.append(
                    [abscissa, f"{value:g}", name, *means, lead, cost, seconds]
                )
    return found


def write(panels: dict[str, Curves], stem: Path) -> None:
    """Write the points as CSV and Markdown, and the figure as PNG and PDF."""
    points = lines(panels)
    with stem.with_suffix(".csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *points])
    table = [COLUMNS, ["---"] * len(COLUMNS), *points]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    stem.with_suffix(".md").write_text(text + "\n")
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
