"""Figures 2, 4, 5, 6 and 8-12: images of every method, zoomed, above their errors.

Slices of one person of the embedded sample, evenly spaced, none selected.

    python -m experiments.fig_panels --figures=fig2,fig5
"""

from pathlib import Path
from typing import NamedTuple

from absl import app, flags

from experiments import panels, rows, scoring, tables
from mgdm_jax import hyperparameters
from mgdm_jax.defaults import Config

MRI = ("dps", "ddnm", "mgdm")
ABLATION = ("mgdm_no_pr", "mgdm_no_ir", "mgdm_no_i", "mgdm_no_r", "mgdm")
CT = ("dps", "ddnm_fbp_merge", "ddnm", "mgdm")


class Figure(NamedTuple):
    """What one figure shows.

    Attributes:
      config: a file of `configs/`.
      levels: accelerations or views, one after another.
      methods: rows of `rows.VARIANTS`, one column each.
      n_slices: of each level.
    """

    config: str
    levels: tuple[float, ...]
    methods: tuple[str, ...]
    n_slices: int


FIGURES = {
    "fig2": Figure("mri_brats", (4, 8, 24), MRI, 1),
    "fig4": Figure("mri_fastmri", (4,), MRI, 1),
    "fig5": Figure("ct_lidc", (23,), CT, 1),
    "fig6": Figure("mri_brats", (24,), ABLATION, 1),
    "fig8": Figure("mri_brats", (8,), MRI, 3),
    "fig9": Figure("mri_brats", (24,), MRI, 3),
    "fig10": Figure("ct_lidc", (23,), CT, 3),
    "fig11": Figure("mri_fastmri", (4,), MRI, 3),
    "fig12": Figure("mri_brats", (24,), ABLATION, 3),
}
"""The paper's figures of images; those from 8 on show more slices of the same."""

_FIGURES = flags.DEFINE_list("figures", list(FIGURES), "Figures to draw.")


def configured(chosen: Figure, level: float) -> Config:
    """Return the configuration of one level, three slices of it."""
    config = tables.configured(chosen.config)
    config.data.n_images = min(3, tables.N_IMAGES.value)
    return hyperparameters.with_level(config, level)


def draw(chosen: Figure, config: Config, stem: Path) -> None:
    """Write one level of a figure as PNG and PDF, and a small JPEG for a page."""
    names = rows.applicable(config, list(chosen.methods))
    reference, baseline = scoring.reference_and_baseline(config)
    stacks = {"baseline": baseline}
    for name in names:
        stacks[name] = scoring.images(config, name, stem.parent / "images")
    middle = (len(reference) - 1) // 2
    shown = slice(None) if chosen.n_slices > 1 else slice(middle, middle + 1)
    fig = panels.comparison(
        reference[shown], {name: stack[shown] for name, stack in stacks.items()}
    )
    for suffix, dpi in ((".png", 150), (".pdf", 150), (".jpg", 80)):
        fig.savefig(stem.with_name(stem.name + suffix), dpi=dpi)
    print(f"wrote {stem}.png, .pdf, .jpg", flush=True)


def main(argv: list[str]) -> None:
    """Draw what was asked for."""
    del argv
    for name in _FIGURES.value:
        chosen = FIGURES[name]
        for level in chosen.levels:
            config = configured(chosen, level)
            stem = tables.folder() / f"{name}-{rows.level_name(config)}"
            draw(chosen, config, stem)


if __name__ == "__main__":
    app.run(main)
