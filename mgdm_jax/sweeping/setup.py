"""A sweep made ready: what it varies, on what, and how candidates are evaluated."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from mgdm_jax import devices, factory, hyperparameters, methods, sweeps
from mgdm_jax.commands import ranges
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.sweeping import (
    bayesian,
    criteria,
    evaluation,
    files,
    holding_out,
    search_space,
    tables,
)
from mgdm_jax.sweeping.tables import Row
from mgdm_jax.types import Guidance

EvaluateFn = Callable[[Sequence[sweeps.Numbers]], list[Row]]
"""Candidates -> their rows."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep that can be run: everything that can be refused has been looked at.

    Attributes:
      config: as given.
      workdir: where it is, or will be, written.
      space: what varies.
      prior: its weights on every device.
      measurements: with references, or to be judged without; what is kept of them if
        some are held out.
      held_out: those, or None.
      samplers: number of steps -> sampler.
      inputs: digest of weights and references.
      notes: what the numbers are chosen on, and warnings.
    """

    config: Config
    workdir: Path
    space: search_space.Space
    prior: factory.Prior
    measurements: Measurements
    held_out: Measurements | None
    samplers: dict[int, factory.Sampler]
    inputs: str
    notes: list[str]

    @property
    def table(self) -> Path:
        """The file of the rows."""
        return self.workdir / files.TABLE

    @property
    def turn(self) -> Path:
        """The lock of whoever asks for candidates or writes the table."""
        return self.workdir / ".turn"


def make(config: Config, workdir: Path) -> Sweep:
    """Return the sweep of a configuration; nothing is written.

    Raises:
      ValueError: with one line, for whatever cannot be used.
    """
    ranges.check(config)
    methods.make_process(config)  # an unknown method has no numbers either
    if not config.sampler.batch_size:
        raise ValueError(
            "sampler.batch_size=0, as many images as fit, is for `run`; give a number."
        )
    if config.sweep.strategy == "bayesian":
        bayesian.require()
    files.check(workdir, config)
    prior, measurements, _ = factory.build(config)
    space = search_space.read(hyperparameters.with_level(config, measurements.level))
    _check_criterion(config, measurements)
    held_out = None
    if config.sweep.criterion == "held_out":
        measurements, held_out = holding_out.split(measurements, config)
    sweep = Sweep(
        config=config,
        workdir=workdir,
        space=space,
        prior=prior._replace(params=devices.replicate(devices.mesh(), prior.params)),
        measurements=measurements,
        held_out=held_out,
        samplers=_samplers(config, prior, space),
        inputs=files.check_inputs(workdir, config, prior, measurements),
        notes=files.provenance(config, measurements),
    )
    at_once(sweep, 1)  # refused before anything is written
    return sweep


def _check_criterion(config: Config, measurements: Measurements) -> None:
    criterion = config.sweep.criterion
    if criterion not in criteria.CRITERIA:
        raise ValueError(
            f"sweep.criterion must be one of {', '.join(criteria.CRITERIA)}, got "
            f"{criterion!r}."
        )
    if criterion == criteria.REFERENCE and measurements.reference is None:
        raise ValueError(
            f"{config.data.path} has no reference to compare with; choose without one "
            "by --config.sweep.criterion=held_out."
        )
    if criterion in criteria.NOISY and not np.any(measurements.noise_std):
        raise ValueError(
            f"sweep.criterion={criterion} rests on the noise level; give it by "
            "--config.task.noise_std, or .photons, or take held_out."
        )
    if criterion == "sure" and config.task.photons and not methods.weighs(config):
        raise ValueError(
            "sweep.criterion=sure is for noise of one level, and that of task.photons "
            f"differs between rays, which {config.method} does not weigh here; take "
            "discrepancy or held_out."
        )


def _samplers(
    config: Config, prior: factory.Prior, space: search_space.Space
) -> dict[int, factory.Sampler]:
    """Return a sampler for each number of steps, without what weighs nothing in any."""
    largest = {name: max(values) for name, values in space.values.items()}
    cheapest = methods.spared(config, Guidance.of(**largest))
    return {n: factory.make(prior, _at(cheapest, n)) for n in space.n_steps}


def _at(config: Config, n_steps: int) -> Config:
    config = copy.deepcopy(config)
    config.sampler.n_steps = n_steps
    return config


def at_once(sweep: Sweep, n: int) -> int:
    """Return the candidates of one program, a multiple of their devices.

    Raises:
      ValueError: if sweep.memory has no room for one.
    """
    size, bound = min(sweep.config.sweep.batch_size, n), sweep.config.sweep.memory
    while bound is not None:
        program = _program(sweep, max(sweep.samplers), size)
        shared = jax.default_backend() == "cpu"  # by all of its devices
        gigabytes = 1e-9 * program.taken() * (program.n_devices if shared else 1)
        if gigabytes <= bound:
            break
        if size == 1:
            raise ValueError(
                f"one candidate takes {gigabytes:.2g} GB, more than sweep.memory="
                f"{bound:g}; allow more, or make sampler.batch_size less, now "
                f"{sweep.config.sampler.batch_size}."
            )
        size = -(-size // 2)
    n_images = min(sweep.config.sampler.batch_size, len(sweep.measurements))
    return devices.padded(size, devices.table(size, n_images), devices.ROWS)


def evaluator(sweep: Sweep, n_steps: int, size: int) -> EvaluateFn:
    """Return what evaluates candidates at one number of steps."""
    seen = _counted(sweep.measurements)
    nfe = methods.nfe(_at(sweep.config, n_steps))
    evaluate = _program(sweep, n_steps, size)

    def rows_of(candidates: Sequence[sweeps.Numbers]) -> list[Row]:
        outcome = evaluate(sweeps.stack(candidates))
        return tables.rows_of(candidates, n_steps, nfe, outcome, seen)

    return rows_of


def _program(sweep: Sweep, n_steps: int, size: int) -> evaluation.Evaluator:
    config = sweep.config
    return evaluation.make(
        jax.random.key(config.sampler.seed),
        sweep.samplers[n_steps],
        sweep.prior,
        sweep.measurements,
        n_candidates=size,
        n_images=config.sampler.batch_size,
        criterion=config.sweep.criterion,
        held_out=sweep.held_out,
    )


def _counted(measurements: Measurements) -> np.ndarray:
    """Return which images count [n]: a blank reference has no peak."""
    if measurements.reference is None:
        return np.ones(len(measurements), bool)
    reference = measurements.reference
    return np.any(reference.reshape(len(reference), -1), axis=1)
