"""Write a prior's card: what it is, and whether it generalises or memorises.

Losses on seen and held-back slices, denoising against tuned classical denoisers, and
samples beside their nearest training slices. Writes `<name>.md` and its pictures. The
shipped priors have met every training subject: their cards are of the weights before.

    python -m experiments.prior_card --config configs/priors/brain_t1.py \
        --prior experiments/weights/brain_t1_held_back.safetensors
"""
# ruff: noqa: RUF001 - cards are written with σ.

import dataclasses
import importlib.util
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from experiments import prior_card_sections as sections
from mgdm_jax import factory, metrics, priors
from mgdm_jax.data import plain_slices, samples
from mgdm_jax.defaults import Config

TEMPLATE = """# Prior `{name}`

{who}, {n_slices} evenly spaced slices, are what "held back" means below.
Written by `python -m experiments.prior_card`.{went_on}

## Facts

{facts}

## ε-loss by noise level

Mean squared error of the predicted noise on un-augmented slices under fixed noise. A
prior that memorises is good on the seen ones alone.

{losses}

## Denoising

PSNR in dB ({convention} peak, by magnitude) of x + σ n, σ per real component in
operator units: one network evaluation at the time t of that σ, against classical
denoisers whose strength (in brackets) is chosen at each σ on {n_slices} slices of
training subject {tuned_on}. The prior's lead is over the classical denoiser that does
best there; the interval is a bootstrap over the slices of one person.

{denoising}

## Samples

DDIM's step with η = 1, {n_steps} network evaluations, fixed seed, not selected.
Distance: what remains of an image after the least-squares fit of gain and offset of its
nearest training slice, relative to the image's own deviation; 0 is a copy, 1 unrelated.
The search goes over all un-augmented training slices, mirrored left to right and moved
by up to 4 pixels; complex images count by magnitude. A prior that copies would draw
samples much nearer than another person's slices. The search undoes neither tilts nor
bends, so copies of bent training images would not show; the augmented draws tell how
near the images lie that it was trained on.

{neighbours}

## Limits

The training volumes are the few people of the embedded sample, each scanned once: the
prior knows their scanners, contrasts and mostly healthy anatomy. Pathology, children,
other sequences, resolutions and orientations lie outside it, and it may paint over what
it has never seen. The numbers above come from one more person and say nothing about the
spread between people. It serves research and tests of reconstruction methods; it is not
a medical device and not for diagnosis.
"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the flags say.

    Attributes:
      prior: shipped name or .safetensors file.
      log: metrics.csv of the training.
      out: folder of the card.
      pictures: folder of the pictures.
      sigmas: noise levels of the denoising, operator units.
      n_slices: slices a subject.
      n_samples: unconditional samples.
      n_steps: network evaluations a sample.
      test: show the test subject rather than the held-back one.
    """

    prior: str
    log: Path
    out: Path
    pictures: Path
    sigmas: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2)
    n_slices: int = 12
    n_samples: int = 8
    n_steps: int = 100
    test: bool = False


def read(config: Config, settings: Settings) -> sections.Card:
    """Load prior and slices.

    Raises:
      ValueError: if the prior does not fit the configuration, nobody is held back, or
        the prior was trained on that subject.
    """
    spec, data = priors.load(settings.prior)[0], config.data
    if spec.network["in_channels"] != data.channels:
        raise ValueError(
            f"prior {spec.name} has {spec.network['in_channels']} channels, the "
            f"configuration {data.channels}; give the one it was trained with."
        )
    trained = spec.training.setdefault("subjects", data.subjects).split(",")
    met = priors.met(spec)
    split, subject, who = "train", data.held_back, f"held-back subject {data.held_back}"
    if settings.test:
        split, subject = "test", samples.subjects(data.modality, "test")[0]
        who = f"TEST subject {subject}"
    if not subject or (split == "train" and subject in met):
        raise ValueError(
            f"{spec.name} has met {', '.join(met)}; name another "
            "--config.data.held_back, or give --test."
        )

    def slices(split: samples.Split, subject: str):
        n, channels = settings.n_slices, data.channels
        images = plain_slices.validation_slices(
            data.modality, subject, n, channels=channels, split=split
        )
        return images.reshape(n, *spec.image_shape)

    return sections.Card(
        spec=spec,
        prior=factory.load_prior(settings.prior),
        modality=data.modality,
        who=who,
        unseen=slices(split, subject),
        seen=slices("train", trained[0]),
        folder=settings.out,
        pictures=settings.pictures,
    )


def went_on(spec: priors.PriorSpec) -> str:
    """Return what the shipped prior of that name is beyond these weights, if it is."""
    shipped = priors.load(spec.name)[0] if spec.name in priors.shipped() else spec
    if shipped.training == spec.training:
        return ""
    subjects = ", ".join(dict.fromkeys(shipped.training["subjects"].split(",")))
    return (
        " The shipped weights went on from these for\n"
        f"{shipped.training['steps']:,} steps with all of {subjects}; nobody was left "
        "to hold back, so all\nthat follows is of the weights before, which "
        "`experiments/weights` keeps."
    )


def write(config: Config, settings: Settings) -> Path:
    """Write the card and its pictures; return the card's path.

    Raises:
      ValueError: with one line, for whatever cannot be used.
    """
    if importlib.util.find_spec("skimage") is None:
        raise ValueError("scikit-image is missing: python -m pip install -e '.[test]'")
    card = read(config, settings)
    print(f"card of {card.spec.name}: losses", flush=True)
    losses = sections.losses(card, settings.log)
    print("denoising", flush=True)
    denoising = sections.denoising(card, settings.sigmas)
    print("samples and their nearest training slices", flush=True)
    text = TEMPLATE.format(
        name=card.spec.name,
        who=card.who[0].upper() + card.who[1:],
        n_slices=settings.n_slices,
        went_on=went_on(card.spec),
        facts=sections.facts(card, settings.log),
        losses=losses,
        convention=metrics.CONVENTION,
        tuned_on=card.subjects[0],
        denoising=denoising,
        n_steps=settings.n_steps,
        neighbours=sections.neighbours(card, settings.n_samples, settings.n_steps),
    )
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / f"{card.spec.name}.md"
    path.write_text(text)
    return path


def cli() -> None:
    """Define the flags and write; here, so that importing this module defines none."""
    config = config_flags.DEFINE_config_file("config", None, "Training of the prior.")
    prior = flags.DEFINE_string("prior", None, "Shipped name, or .safetensors file.")
    log = flags.DEFINE_string(
        "log", None, "Its metrics.csv; default experiments/cards/<name>_metrics.csv."
    )
    out = flags.DEFINE_string("out", "mgdm_jax/assets/priors", "Folder of the card.")
    pictures = flags.DEFINE_string("pictures", "experiments/cards", "Their folder.")
    sigmas = flags.DEFINE_list("sigmas", ["0.02", "0.05", "0.1", "0.2"], "Noise.")
    n_slices = flags.DEFINE_integer("n_slices", 12, "Slices a subject.", 2)
    n_samples = flags.DEFINE_integer("n_samples", 8, "Unconditional samples.", 1)
    n_steps = flags.DEFINE_integer("n_steps", 100, "Network evaluations a sample.", 1)
    test = flags.DEFINE_bool("test", False, "Show the test subject, labelled so.")
    flags.mark_flags_as_required(["config"])

    def main(argv: list[str]) -> None:
        del argv
        settings = Settings(
            prior=prior.value or config.value.name,
            log=Path(log.value or f"experiments/cards/{config.value.name}_metrics.csv"),
            out=Path(out.value),
            pictures=Path(pictures.value),
            sigmas=tuple(float(sigma) for sigma in sigmas.value),
            n_slices=n_slices.value,
            n_samples=n_samples.value,
            n_steps=n_steps.value,
            test=test.value,
        )
        try:
            print(f"wrote {write(config.value, settings)}")
        except ValueError as error:
            sys.exit(f"error: {error}")

    app.run(main)


if __name__ == "__main__":
    cli()
