"""Bring the tables of README.md and RESULTS.md up to date with `experiments/results`.

A table there follows a comment that says whose it is: a file of `results`, or one of
the summaries made here, `SUMMARIES`.

    python -m experiments.quoted
"""

import re
from pathlib import Path

import numpy as np
from absl import app

from experiments import keeping, markdown, report, rows
from mgdm_jax.storage import aside

RESULTS = Path("experiments/results")
PAGES = (Path("README.md"), Path("experiments/RESULTS.md"))

TASKS = {
    "real-valued MRI, 4x": ("mri_brats-equispaced-4x", "+2.0", "+4.1"),
    "real-valued MRI, 8x": ("mri_brats-equispaced-8x", "+3.3", "+2.5"),
    "real-valued MRI, 24x": ("mri_brats-equispaced-24x", "+3.0", "+0.6"),
    "complex MRI, 4x": ("mri_fastmri-gaussian1d-4x", "+1.1", "+14.5"),
    "complex MRI, 8x": ("mri_fastmri-gaussian1d-8x", "+0.9", "+13.1"),
    "CT, 23 views": ("ct_lidc-23views", "by FBP +12.1", "-"),
    "CT, 10 views": ("ct_lidc-10views", "by FBP +11.9", "-"),
    "CT, 23 views, 1 % noise": ("ct_lidc-23views-noise0.01", "-", "-"),
}
"""Line of the summaries -> stem of its files, the paper's lead over DDNM, over DPS."""

BY_FBP = ("ct_lidc-23views", "ct_lidc-10views")
"""Stems where DDNM by FBP, as the paper ran it, stands beside DDNM."""

NAMES = {"dps_1000": "DPS, 1,000 steps", "pigdm": "ΠGDM", "ddrm": "DDRM"}
NAMES |= {"pigdm_fresh": "ΠGDM, fresh noise", "mcg_fresh": "MCG, fresh noise"}
NAMES |= {"diffpir": "DiffPIR", "mcg": "MCG", "ddnm_plus": "DDNM+", "tv": "TV"}
NAMES |= {"score_med": "ScoreMed", "score_mri": "Score-MRI", "dds": "DDS"}
NAMES |= {"dps_fresh": "DPS, fresh noise"}

CURVES = ("dps", "ddnm", "mgdm")
"""Rows of figure 3."""

Rows = dict[str, dict]


def kept(stem: str) -> Rows:
    """Return the rows of a task that were computed."""
    paths = {name: RESULTS / f"{stem}-100steps-{name}.json" for name in rows.COMPARED}
    return {name: keeping.read(path) for name, path in paths.items() if path.exists()}


def mean(row: dict) -> float:
    """Return the mean PSNR over the slices."""
    return float(np.mean(row["psnr"]))


def best_rival(found: Rows) -> str:
    """Return the first row of the highest mean, printed, that is no case of MGDM."""
    others = [name for name in found if not name.startswith("mgdm")]
    return max(others, key=lambda name: round(mean(found[name]), 2))


def leads() -> str:
    """Return MGDM's paired leads over its rivals, the paper's beside them."""
    names = ["task", "PSNR / dB", "over DDNM", "the paper's", "over DPS"]
    names += ["the paper's", "over DPS-1000", "over the best rival"]
    lines = []
    for label, (stem, over_ddnm, over_dps) in TASKS.items():
        found = kept(stem)
        over = {name: report.lead(found["mgdm"], row) for name, row in found.items()}
        ddnm = over["ddnm"]
        if stem in BY_FBP:
            ddnm += f"; by FBP {over['ddnm_fbp_merge']}"
        if "ddnm_plus" in found:
            ddnm += f"; over DDNM+ {over['ddnm_plus']}"
        rival = best_rival(found)
        best = f"{NAMES[rival]} {over[rival]}" if rival != "dps_1000" else "DPS-1000"
        cells = [label, f"{mean(found['mgdm']):.2f}", ddnm, over_ddnm, over["dps"]]
        lines.append([*cells, over_dps, over["dps_1000"], best])
    return markdown.table(names, lines)


def scores() -> str:
    """Return mean PSNR of MGDM, its rivals, and the image that all begin from."""
    lines = []
    for label, (stem, *_) in TASKS.items():
        found = kept(stem)
        told = {name: f"{mean(row):.2f}" for name, row in found.items()}
        ddnm = told["ddnm"]
        if stem in BY_FBP:
            ddnm += f" (by FBP {told['ddnm_fbp_merge']})"
        if "ddnm_plus" in found:
            ddnm += f" (DDNM+ {told['ddnm_plus']})"
        rival = best_rival(found)
        best = f"{told[rival]} ({NAMES[rival]})"
        lines.append([label, baseline(stem), told["dps"], ddnm, best, told["mgdm"]])
    names = ["", "zero-filled, FBP", "DPS", "DDNM", "best other", "MGDM"]
    return markdown.table(names, lines)


def evaluations() -> str:
    """Return what figure 3 draws over evaluations at 4x, as far as it was computed."""
    return _curves("evaluations", [(n, 4, n) for n in (20, 50, 100, 200, 350)])


def accelerations() -> str:
    """Return what figure 3 draws over acceleration, as far as it was computed."""
    return _curves("acceleration", [(r, r, 100) for r in (4, 8, 12, 24)])


def _curves(abscissa: str, points: list[tuple[int, int, int]]) -> str:
    """Return the rows of figure 3 at (abscissa, acceleration, steps)."""
    lines = []
    for point, rate, n_steps in points:
        stem = f"mri_brats-equispaced-{rate}x-{n_steps}steps"
        paths = [RESULTS / f"{stem}-{name}.json" for name in CURVES]
        if all(path.exists() for path in paths):
            *others, mgdm = map(keeping.read, paths)
            told = [f"{mean(row):.2f}" for row in (*others, mgdm)]
            lines.append([point, *told, *(report.lead(mgdm, row) for row in others)])
    names = [abscissa, "DPS", "DDNM", "MGDM", "over DPS", "over DDNM"]
    return markdown.table(names, lines)


def baseline(stem: str) -> str:
    """Return the PSNR that the task's table has of the zero-filled or FBP images."""
    text = (RESULTS / f"{stem}-100steps.md").read_text()
    found = re.search(r"^\| baseline \| \d+ \| (\S+)", text, re.MULTILINE)
    assert found is not None
    return found[1]


def table(name: str) -> str:
    """Return the table of a comment's name, without a last line's end."""
    if name in SUMMARIES:
        return SUMMARIES[name]()
    lines = (RESULTS / name).read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))


SUMMARIES = {"leads": leads, "scores": scores, "evaluations": evaluations}
SUMMARIES |= {"accelerations": accelerations}


def refreshed(text: str) -> str:
    """Return a page with every table as it is now; in a quotation it stays quoted."""

    def replace(found: re.Match) -> str:
        prefix = found["prefix"]
        made = table(found["name"]).replace("\n", f"\n{prefix}")
        return f"{found['head']}{prefix}{made}\n"

    head = r"(?P<head>^(?P<prefix>(?:> )?)<!-- (?P<name>\S+) -->\n)"
    return re.sub(head + r"(?:(?P=prefix)\|.*\n)*", replace, text, flags=re.MULTILINE)


def main(argv: list[str]) -> None:
    """Rewrite both pages."""
    del argv
    for page in PAGES:
        aside.write_text(page, refreshed(page.read_text()))


if __name__ == "__main__":
    app.run(main)
