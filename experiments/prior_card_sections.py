"""The sections of a prior's card as Markdown, and its pictures."""
# ruff: noqa: RUF001 - cards are written with σ and ×.

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from matplotlib import figure

from experiments import prior_card_denoising, prior_card_numbers
from experiments.markdown import table
from mgdm_jax import factory, figures, metrics, priors
from mgdm_jax.data import pipelines, samples
from mgdm_jax.training import steps, unconditional

UNITS = {
    "brain": "1 is the 99.5th percentile of the head",
    "chest": "clip((HU + 1024) / 2048, 0, 1)",
}
SIMULATED = {
    1: "nothing in the images but their augmentation: bent planes through the volumes, "
    "other contrasts. Measurements made of them elsewhere are simulated.",
    2: "the phase of every image, a global and a smooth one on a measured magnitude; "
    "the augmentation: bent planes through the volumes, other contrasts.",
}


class Card(NamedTuple):
    """What every section of a card is made from.

    Attributes:
      spec: facts of the prior.
      prior: ready for sampling.
      modality: "brain" or "chest".
      who: whose slices are held back, for people.
      unseen: slices [n, …image] of that person.
      seen: slices [n, …image] of the first training subject.
      pictures: folder of the pictures.
      folder: folder of the card.
    """

    spec: priors.PriorSpec
    prior: factory.Prior
    modality: samples.Modality
    who: str
    unseen: np.ndarray
    seen: np.ndarray
    pictures: Path
    folder: Path

    @property
    def subjects(self) -> list[str]:
        """Names of the training volumes, each once."""
        return list(dict.fromkeys(self.spec.training["subjects"].split(",")))

    def save(self, picture: figure.Figure, what: str) -> str:
        """Write a picture and return its Markdown."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        path = self.pictures / f"{self.spec.name}-{what}.png"
        picture.savefig(path, dpi=110)
        return f"![{what}]({Path(os.path.relpath(path, self.folder)).as_posix()})"


def facts(card: Card, log: Path) -> str:
    """Return the table of facts; `log` is the training's metrics.csv."""
    spec = card.spec
    n_weights = sum(leaf.size for leaf in jax.tree.leaves(card.prior.params))
    training = {"steps": "not recorded", "started_from": ""} | spec.training
    hours = prior_card_numbers.hours(log)
    network = ", ".join(f"{k} {v}" for k, v in sorted(spec.network.items()))
    rows = [
        ["images", f"{card.modality}, {' × '.join(map(str, spec.image_shape))}"],
        ["network", f"{network}; {n_weights:,} weights in half precision (EMA)"],
        ["predicts", f"{spec.prediction}, {spec.schedule} schedule"],
        [
            "operator units",
            f"{UNITS[card.modality]}; clean {spec.low:g} … {spec.high:g}",
        ],
        ["network units", f"scale {spec.scale:g}, offset {spec.offset:g}"],
        ["steps", f"{training['steps']}"],
        ["hours", "not recorded" if hours is None else f"{hours:.1f}, by its log"],
        ["started from", training["started_from"] or "fresh weights, or not recorded"],
        ["volumes drawn from", training["subjects"]],
    ]
    rows += [
        [f"source of {name}", samples.source(card.modality, "train", name)]
        for name in card.subjects
    ]
    rows.append(["simulated", SIMULATED[spec.network["in_channels"]]])
    return table(["", ""], rows)


def losses(card: Card, log: Path) -> str:
    """Return the ε-losses during training, by its metrics.csv, and of the weights."""
    params = card.prior.params
    header = ["weights", "slices", *(f"t = {t}" for t in steps.LEVELS)]
    rows = []
    for row in prior_card_numbers.milestones(log):
        name = f"step {row['step']:,} ({row['share']:.0%})"
        for prefix, who in (("val", "held back"), ("train", "seen")):
            values = [f"{row[f'{prefix}_t{t}']:.5f}" for t in steps.LEVELS]
            rows.append([name, who, *values])
    missing = not rows
    for who, images in ((card.who, card.unseen), ("seen", card.seen)):
        values = prior_card_numbers.eps_losses(card.spec, params, images)
        rows.append(["these", who, *(f"{value:.5f}" for value in values)])
    note = "The losses during training are not at hand and left out.\n\n"
    return (note if missing else "") + table(header, rows)


def denoising(card: Card, sigmas: Sequence[float]) -> str:
    """Return the PSNR table of one-step denoising and its picture."""
    levels = []
    for sigma in sigmas:
        levels.append(
            prior_card_denoising.compare(
                card.prior, card.spec, card.seen, card.unseen, sigma
            )
        )
        print("denoised at", *_denoising_row(levels[-1]), flush=True)
    header = ["σ", "t", "noisy", *prior_card_denoising.CLASSICAL, "prior"]
    header += ["lead [95 %]", "lead on seen slices"]
    middle = len(card.unseen) // 2
    picture = figures.panel(
        np.stack([card.unseen[middle]] * len(levels)),
        np.stack([level.rivals[level.best].images[middle] for level in levels]),
        np.stack([level.images[middle] for level in levels]),
        labels=(card.who, "best classical", "prior"),
        row_labels=[f"σ = {level.sigma:.3f}, {level.best}" for level in levels],
        note="Noise is simulated.",
    )
    rows = table(header, [_denoising_row(level) for level in levels])
    return f"{rows}\n\n{card.save(picture, 'denoising')}"


def _denoising_row(level: prior_card_denoising.Comparison) -> list[str]:
    low, high = metrics.bootstrap_interval(level.lead, seed=0)
    rivals = [
        f"{r.unseen.mean():.2f} ({r.strength:.2f} σ)" for r in level.rivals.values()
    ]
    return [
        f"{level.sigma:.3f}",
        f"{level.t}",
        f"{level.noisy.mean():.2f}",
        *rivals,
        f"{level.unseen.mean():.2f}",
        f"{level.lead.mean():+.2f} [{low:+.2f}, {high:+.2f}]",
        f"{level.lead_seen.mean():+.2f}",
    ]


def neighbours(card: Card, n_samples: int, n_steps: int) -> str:
    """Return the distances to the nearest training slices, and the picture."""
    volumes = [samples.load_volume(card.modality, "train", s) for s in card.subjects]
    bank = np.concatenate(volumes)
    names = [
        f"{subject} #{i}"
        for subject, volume in zip(card.subjects, volumes, strict=True)
        for i in range(len(volume))
    ]
    drawn = unconditional.draw(jax.random.key(0), card.prior, n_samples, n_steps)
    print(f"{n_samples} samples drawn", flush=True)
    draws = pipelines.AugmentedSlices(
        card.modality, card.subjects, channels=card.spec.network["in_channels"], seed=1
    )
    augmented = np.stack([draws[i] for i in range(2 * len(card.unseen))])
    groups = {
        "samples of the prior": drawn,
        card.who: card.unseen,
        "augmented training draws": augmented.reshape(-1, *card.spec.image_shape),
    }
    stacked = figures.magnitude(np.concatenate(list(groups.values())))
    near = prior_card_numbers.nearest(stacked, bank)
    ends = np.cumsum([len(images) for images in groups.values()])
    distances = dict(zip(groups, np.split(near.distance, ends[:-1]), strict=True))
    rows = [
        [name, str(len(group))]
        + [f"{q:.3f}" for q in np.quantile(group, (0, 0.25, 0.5, 0.75, 1))]
        for name, group in distances.items()
    ]
    n_nearer = (distances["samples of the prior"] < distances[card.who].min()).sum()
    verdict = (
        f"{n_nearer} of {n_samples} samples lie nearer to a training slice than every "
        f"slice of the {card.who}."
    )
    header = ["images", "n", "nearest", "25 %", "median", "75 %", "farthest"]
    picture = pairs(figures.magnitude(drawn), bank, names, near)
    return f"{table(header, rows)}\n\n{verdict}\n\n{card.save(picture, 'nearest')}"


def pairs(
    drawn: np.ndarray,
    bank: np.ndarray,
    names: list[str],
    near: prior_card_numbers.Nearest,
) -> figure.Figure:
    """Return samples [n, h, w] above their nearest slices, the first n of `near`."""
    fig = figure.Figure((1.6 * len(drawn), 3.9), layout="compressed")
    grid = fig.subplots(2, len(drawn), squeeze=False)
    for ax in grid.ravel():
        ax.set_axis_off()
    for i, image in enumerate(drawn):
        match = bank[near.index[i]][:, :: -1 if near.flipped[i] else 1]
        mirrored = " mirrored" if near.flipped[i] else ""
        grid[0, i].set_title(f"sample {i + 1}", fontsize="small")
        title = f"{names[near.index[i]]}{mirrored}\ndistance {near.distance[i]:.3f}"
        grid[1, i].set_title(title, fontsize="x-small")
        for ax, shown in zip(grid[:, i], (image, match), strict=True):
            ax.imshow(shown, "gray", vmin=0, vmax=1, interpolation="nearest")
    return fig
