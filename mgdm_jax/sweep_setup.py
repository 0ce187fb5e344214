"""A sweep made ready: what it varies, on what, and how candidates are evaluated."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from mgdm_jax import (
    bayesian,
    devices,
    evaluation,
    factory,
    methods,
    ranges,
    search_space,
    sweep_files,
    sweep_table,
    sweeps,
)
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.sweep_table import Row

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
      measurements: with references.
      samplers: number of steps -> sampler.
      inputs: digest of weights and references.
      notes: what the numbers are chosen on, and warnings.
    """

    config: Config
    workdir: Path
    space: search_space.Space
    prior: factory.Prior
    measurements: Measurements
    samplers: dict[int, factory.Sampler]
    inputs: str
    notes: list[str]

    @property
    def table(self) -> Path:
        """The file of the rows."""
        return self.workdir / sweep_files.TABLE

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
    space = search_space.read(config)
    if config.sweep.strategy == "bayesian":
        bayesian.require()
    sweep_files.check(workdir, config)
    prior, measurements, _ = factory.build(config)
    if measurements.reference is None:
        raise ValueError(f"{config.data.path} has no reference to compare with.")
    return Sweep(
        config=config,
        workdir=workdir,
        space=space,
        prior=prior._replace(params=devices.replicate(devices.mesh(), prior.params)),
        measurements=measurements,
        samplers={n: factory.make(prior, _at(config, n)) for n in space.n_steps},
        inputs=sweep_files.check_inputs(workdir, prior, measurements),
        notes=sweep_files.provenance(config, measurements),
    )


def _at(config: Config, n_steps: int) -> Config:
    config = copy.deepcopy(config)
    config.sampler.n_steps = n_steps
    return config


def at_once(sweep: Sweep, n: int) -> int:
    """Return the candidates of one program, a multiple of the devices."""
    return devices.padded(min(sweep.config.sweep.batch_size, n), devices.mesh())


def evaluator(sweep: Sweep, n_steps: int, size: int) -> EvaluateFn:
    """Return what evaluates candidates at one number of steps."""
    config, measurements = sweep.config, sweep.measurements
    reference = np.asarray(measurements.reference)
    seen = np.any(reference.reshape(len(reference), -1), axis=1)
    nfe = methods.nfe(_at(config, n_steps))
    evaluate = evaluation.make(
        jax.random.key(config.sampler.seed),
        sweep.samplers[n_steps],
        sweep.prior,
        measurements,
        n_candidates=size,
        n_images=config.sampler.batch_size,
    )

    def rows_of(candidates: Sequence[sweeps.Numbers]) -> list[Row]:
        outcome = evaluate(sweeps.stack(candidates))
        return sweep_table.rows_of(candidates, n_steps, nfe, outcome, seen)

    return rows_of
