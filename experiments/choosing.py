"""Candidates of numbers chosen by each criterion, and what that loses to the oracle."""

import json
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from experiments import keeping, markdown, scoring
from mgdm_jax import devices, factory, hyperparameters, methods, sweeps
from mgdm_jax.defaults import Config
from mgdm_jax.sweeping import criteria, evaluation, holding_out


class Factors(NamedTuple):
    """Candidates of ζ and of λ, in units of the chosen."""

    zeta: list[float]
    lam: list[float]


def candidates(config: Config, factors: Factors) -> list[sweeps.Numbers]:
    """Return the grid; the chosen numbers are the first candidate."""
    chosen = sweeps.Numbers(*map(float, hyperparameters.resolve(config)))
    grid = sweeps.combinations(
        {
            "zeta": [chosen.zeta * factor for factor in factors.zeta],
            "lam": [chosen.lam * factor for factor in factors.lam],
            "rho": sorted({0.0, chosen.rho or 0.01}),
            "eta": [chosen.eta],
        }
    )
    return [chosen, *(numbers for numbers in grid if numbers != chosen)]


def values(
    config: Config, criterion: str, asked: list[sweeps.Numbers], kept: Path
) -> tuple[np.ndarray, float]:
    """Return PSNR, or what the criterion wants much of, [s, n]; and its seconds.

    The latter is -∞ of an image that diverged. Loading and compilation are in the
    seconds, of all times that it was gone on with.

    Args:
      config: the task.
      criterion: one of `criteria.CRITERIA`.
      asked: candidates.
      kept: file of what is known; it is added to after every program's run.
    """
    settings = scoring.settings(config) | {"asked": asked}
    settings = json.loads(json.dumps(settings))
    known = keeping.read(kept).get(criterion, {})
    if known.get("settings") != settings:
        known = {"settings": settings, "values": [], "seconds": 0.0}
    size, evaluate = devices.mesh().size, None
    for start in range(len(known["values"]), len(asked), size):
        started = time.monotonic()
        evaluate = evaluate or evaluator(config, criterion)
        outcome = evaluate(sweeps.stack(asked[start : start + size]))
        found = np.where(outcome.diverged, -np.inf, outcome.merit)
        if criterion == criteria.REFERENCE:
            found = outcome.scores.psnr
        known["values"] += np.asarray(found, float).tolist()
        known["seconds"] += time.monotonic() - started
        keeping.add(kept, criterion, known)
        done = f"{len(known['values'])} of {len(asked)} candidates"
        print(f"{kept.stem} {criterion}: {done}, {known['seconds']:.0f} s", flush=True)
    return np.array(known["values"]), known["seconds"]


def evaluator(config: Config, criterion: str) -> evaluation.Evaluator:
    """Return what evaluates a candidate a device on every slice."""
    prior, measured, sampler = factory.build(config)
    held_out = None
    if criterion == "held_out":
        measured, held_out = holding_out.split(measured, config)
    return evaluation.make(
        jax.random.key(config.sampler.seed),
        sampler,
        prior,
        measured,
        n_candidates=devices.mesh().size,
        n_images=config.sampler.batch_size,
        criterion=criterion,
        held_out=held_out,
    )


def applicable(config: Config) -> list[str]:
    """Return the criteria that need no reference and suit the task's noise."""
    absent = () if hyperparameters.is_noisy(config.task) else criteria.NOISY
    unequal = config.task.photons and not methods.weighs(config)
    absent = ("sure",) if unequal else absent
    return [name for name in criteria.CRITERIA[1:] if name not in absent]


def table(config: Config, factors: Factors, kept: Path) -> str:
    """Return the loss of each criterion as Markdown, and what a slice costs."""
    asked = candidates(config, factors)
    psnr, seconds = values(config, criteria.REFERENCE, asked, kept)
    n = psnr.shape[1]
    oracle = psnr.max(axis=0)
    lines = [
        _line("oracle, per slice", oracle, oracle, len(asked), seconds / n),
        _line("validation subject", psnr[0], oracle, 0, 0.0),
    ]
    for name in applicable(config):
        merit, seconds = values(config, name, asked, kept)
        merit = np.where(np.isnan(merit), -np.inf, merit)
        each = [np.argmax(below_cliff(merit[:, [i]], asked)) for i in range(n)]
        together = np.argmax(below_cliff(merit, asked).mean(axis=1))
        n_samples = len(asked) * (2 if name == "sure" else 1)
        choices = {
            f"{name}, per slice": np.array(each),
            f"{name}, one choice for all": np.full(n, together),
        }
        for label, chosen in choices.items():
            reached = psnr[chosen, np.arange(n)]
            lines.append(_line(label, reached, oracle, n_samples, seconds / n))
    loss = "loss to the oracle / dB: mean, worst"
    return markdown.table(["chosen by", "PSNR / dB", loss, "samples", "s"], lines)


def below_cliff(merit: np.ndarray, asked: list[sweeps.Numbers]) -> np.ndarray:
    """Return merits [s, n], the least from the ζ on at which a candidate diverged.

    As `tables.best` of a sweep of these images.
    """
    zeta = np.array([numbers.zeta for numbers in asked])
    broken = np.isneginf(merit).any(axis=1)
    end = zeta[broken].min() if broken.any() else np.inf
    allowed = zeta < end if (zeta < end).any() else np.full(len(zeta), True)
    return np.where(allowed[:, None], merit, -np.inf)


def _line(
    name: str, reached: np.ndarray, oracle: np.ndarray, n_samples: int, seconds: float
) -> list[str]:
    loss = oracle - reached
    losses = f"{loss.mean():.2f}, {loss.max():.2f}"
    return [name, f"{reached.mean():.2f}", losses, f"{n_samples}", f"{seconds:.0f}"]
