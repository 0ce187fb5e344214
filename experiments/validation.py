"""What candidates reach on a validation subject that the prior has not met."""

import copy
import sys
from collections.abc import Callable

import jax
import numpy as np

from mgdm_jax import factory, priors, sweeps
from mgdm_jax.defaults import Config
from mgdm_jax.sweeping import evaluation

ENDS = 2
"""Slices at the volume's ends, which nobody looks at."""


def evaluator(config: Config, chunk: int) -> Callable[[list[dict]], np.ndarray]:
    """Return at most `chunk` rows of numbers -> mean PSNR, -inf if one diverges.

    Args:
      config: its slices but for `ENDS` are taken.
      chunk: rows of one program.
    """
    prior, measured, sampler = factory.build(config)
    inner = measured.take(np.arange(1, len(measured) - 1))
    key = jax.random.key(config.sampler.seed)
    outcome_of = evaluation.make(
        key, sampler, prior, inner, n_candidates=chunk, n_images=len(inner)
    )

    def evaluate(asked: list[dict]) -> np.ndarray:
        outcome = outcome_of(sweeps.stack([sweeps.Numbers(**row) for row in asked]))
        return np.where(outcome.diverged, -np.inf, outcome.scores.psnr).mean(axis=1)

    return evaluate


def on(config: Config, subject: str | None, slices: int) -> Config:
    """Return a copy that reconstructs validation slices, or end with one line.

    Of a prepared file, `config.data.path`, they are those of its validation split.

    Args:
      config: a command's, locked as it is.
      subject: of the sample's training split, which the prior must not have met.
      slices: to look at, the volume's ends aside.
    """
    config = copy.deepcopy(config).unlock()
    config.data.n_images = slices + ENDS
    if config.data.path:
        config.data.split = "validation"
        return config
    try:
        check_held_back(config.prior.path, subject)
    except ValueError as error:
        sys.exit(f"error: {error}")
    config.data.split, config.data.subject = "train", subject
    return config


def check_held_back(prior: str, subject: str | None) -> None:
    """Refuse a prior that was trained on the validation subject, and none.

    Raises:
      ValueError: with one line.
    """
    if subject is None:
        raise ValueError(
            "give a validation subject of the sample by --subject, or images of your "
            "own by --config.data.path."
        )
    met = priors.met(priors.load(prior)[0])
    if subject in met:
        raise ValueError(
            f"prior {prior} was trained on {subject}; give one that was not with "
            "--config.prior.path, as experiments/weights holds them."
        )
