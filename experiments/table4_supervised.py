"""Table 4: a supervised network under its own sampling pattern and under others.

The paper quotes DuDoRNet (Zhou & Zhou, 2020) as reported by Song et al., 2021. Ours is
a U-Net trained at 8x, equispaced columns (`configs/supervised/brain_t1_8x.py`).

    python -m experiments.table4_supervised
"""

from absl import app, flags

from experiments import report, rows, scoring, tables

CASES = (
    ("equispaced", 8.0),
    ("equispaced", 24.0),
    ("random", 8.0),
    ("gaussian2d", 8.0),
)
"""Mask and acceleration; the first is the one it was trained on."""

ROWS = ("supervised", "ddnm", "mgdm")

PAPER = {
    ("equispaced", 8.0): {
        "supervised": ("DuDoRNet: 37.88", "0.985"),
        "mgdm": ("38.46", "0.964"),
    },
    ("equispaced", 24.0): {
        "supervised": ("DuDoRNet: 18.46", "0.662"),
        "mgdm": ("30.04", "0.887"),
    },
}
"""Case -> row -> PSNR and SSIM as the paper prints them."""

_CASES = flags.DEFINE_integer("cases", len(CASES), "The first so many of `CASES`.")
_NETWORK = flags.DEFINE_string(
    "network", rows.VARIANTS["supervised"]["prior.path"], "Its file."
)


def main(argv: list[str]) -> None:
    """Print and write one table a case."""
    del argv
    changes = {"supervised": {"prior.path": _NETWORK.value}}
    for mask, acceleration in CASES[: _CASES.value]:
        config = tables.configured("mri_brats")
        config.task.mask, config.task.acceleration = mask, acceleration
        results = scoring.collect(config, list(ROWS), tables.folder(), changes)
        paper = PAPER.get((mask, acceleration), {})
        stem = tables.folder() / f"table4_supervised-{mask}-{acceleration:g}x"
        table = report.markdown(results, paper, "BraTS, 200 steps")
        tables.write(stem, rows.level_name(config), results, table)


if __name__ == "__main__":
    app.run(main)
