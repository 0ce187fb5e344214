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


def on(config: Config, subject: str, slices: int) -> Config:
    """Return a copy that reconstructs a validation subject, or end with one line.

    Args:
      config: a command's, locked as it is.
      subject: of the training split, which the prior must not have met.
      slices: to look at, the volume's ends aside.
    """
    config = copy.deepcopy(config).unlock()
    try:
        check_held_back(config.prior.path, subject)
    except ValueError as error:
        sys.exit(f"error: {error}")
    config.data.split, config.data.subject = "train", subject
    config.data.n_images = slices + ENDS
    return config


def check_held_back(prior: str, subject: str) -> None:
    """Refuse a prior that was trained on the validation subject.

    Raises:
      ValueError: with one line.
    """
    met = priors.met(priors.load(prior)[0])
    if subject in met:
        raise ValueError(
            f"prior {prior} was trained on {subject}; give one that was not with "
            "--config.prior.path, as experiments/weights holds them."
        )
