r"""Sweep ζ, λ, ρ, η: `python -m mgdm_jax.sweep --config C --config.sweep.zeta='(1,2)'`.

    python -m mgdm_jax.sweep --config mri_brats \
        --config.data.split=train --config.data.subject=itk_mprage \
        --config.sweep.zeta='(0.5,1.0,2.0)' --config.sweep.lam='(1e-3,1e-2)'

Every candidate reconstructs the images that `run` would, with the same noise, a batch
of candidates in one compiled program. Writes into the workdir: `sweep.csv`, a row a
candidate; `best.py`, a configuration for `run`; `map_zeta_rho.png`, `map_zeta_lam.png`
and `sensitivity_….png` of what varied; `config.json`, `environment.json`. Started
again, it goes on where it was; with `--config.sweep.strategy=bayesian` (`bayesian.db`)
several processes may share a workdir.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from mgdm_jax import defaults, metrics, sweeps
from mgdm_jax.commands import fields, launch, workdirs
from mgdm_jax.defaults import Config
from mgdm_jax.storage import aside, locks
from mgdm_jax.sweeping import bayesian, figures, files, setup, tables
from mgdm_jax.sweeping.setup import Sweep
from mgdm_jax.sweeping.tables import Row


def run(sweep: Sweep) -> list[Row]:
    """Evaluate what the workdir's table does not hold yet, and return all of it.

    Raises:
      ValueError: if another process is at work there and cannot be joined.
    """
    is_bayesian = sweep.config.sweep.strategy == "bayesian"
    with (
        aside.inside(sweep.workdir),
        locks.present(sweep.workdir / ".lock") as presence,
    ):
        if not (presence.alone or is_bayesian):
            raise ValueError(f"another process is sweeping in {sweep.workdir}.")
        with locks.turn(sweep.turn):
            files.begin(sweep.workdir, sweep.config, sweep.inputs)
        if is_bayesian:
            _evaluate_proposed(sweep, presence)
        else:
            _evaluate_listed(sweep)
        with locks.turn(sweep.turn):
            rows = tables.read(sweep.table)
            if rows:
                _conclude(sweep, rows)
    return rows


def _evaluate_listed(sweep: Sweep) -> None:
    """Evaluate a grid, or random candidates, in their order."""
    settings = sweep.config.sweep
    if settings.strategy == "grid":
        candidates = sweeps.combinations(sweep.space.values)
    else:
        candidates = sweeps.draw(
            sweep.space.values, settings.n_trials, seed=settings.seed
        )
    table = {row.key: row for row in tables.read(sweep.table)}
    size = setup.at_once(sweep, len(candidates))
    total = len(candidates) * len(sweep.samplers)
    with tqdm(total=total, initial=len(table), unit="candidate") as bar:
        for n_steps in sweep.samplers:
            evaluate = setup.evaluator(sweep, n_steps, size)
            # Batches of the list, not of what is left: resumed, they are the same.
            for start in range(0, len(candidates), size):
                batch = candidates[start : start + size]
                asked = [c for c in batch if (n_steps, *c) not in table]
                if asked:
                    table |= {row.key: row for row in evaluate(asked)}
                    tables.write(sweep.table, table.values())
                    bar.update(len(asked))


def _evaluate_proposed(sweep: Sweep, presence: locks.Presence) -> None:
    """Evaluate what a Bayesian study proposes, until there are n_trials of each."""
    settings = sweep.config.sweep
    studies = bayesian.open_studies(
        sweep.workdir / "bayesian.db",
        [f"n_steps={n_steps}" for n_steps in sweep.samplers],
        sweep.space.values,
        settings.seed,
        sweep.turn,
    )
    if presence.alone:
        for study in studies:
            study.recover()
    presence.share()
    size = setup.at_once(sweep, settings.n_trials)
    total, n_done = settings.n_trials * len(studies), _collect(sweep, studies)
    with tqdm(total=total, initial=n_done, unit="candidate") as bar:
        for n_steps, study in zip(sweep.samplers, studies, strict=True):
            evaluate = setup.evaluator(sweep, n_steps, size)
            while asked := study.ask(size, settings.n_trials):
                trials, candidates = zip(*asked, strict=True)
                done = evaluate(candidates)
                study.tell(trials, [row._asdict() for row in done])
                bar.update(_collect(sweep, studies) - bar.n)


def _collect(sweep: Sweep, studies: Sequence[bayesian.Study]) -> int:
    """Write the table of what all processes have finished; return its rows' number."""
    with locks.turn(sweep.turn):
        rows = [Row(**row) for study in studies for row in study.rows()]
        tables.write(sweep.table, rows)
    return len(rows)


def _conclude(sweep: Sweep, rows: list[Row]) -> None:
    """Write the best configuration, if there is one, and figures of what varied."""
    if tables.all_diverged(rows, len(sweep.measurements)):
        return
    folder, config = sweep.workdir, sweep.config
    best = tables.best(rows, config.sweep.criterion)
    files.write_best(folder, config, best, sweep.notes)
    columns = {
        name: np.array(column)
        for name, column in zip(Row._fields, zip(*rows, strict=True), strict=True)
    }
    varied = [k for k in figures.SYMBOLS if len(set(columns[k])) > 1]
    note = f"{config.method}, {sweep.notes[0]}; {metrics.CONVENTION}"
    for other in ("rho", "lam"):
        if {"zeta", other} <= set(varied):
            fig = figures.heat_map(columns, "zeta", other, note)
            fig.savefig(folder / f"map_zeta_{other}.png", dpi=110)
    for name in varied:
        fig = figures.sensitivity(columns, name, note)
        fig.savefig(folder / f"sensitivity_{name}.png", dpi=110)


def main(config: Config, workdir: str | None) -> None:
    """Sweep and print the best rows.

    Raises:
      ValueError: with one line, for input that cannot be used, or where every candidate
        diverged; the table is kept.
    """
    folder = Path(workdir or f"runs/sweeps/{config.name}")
    made = setup.make(config, folder)
    notes = "\n".join(made.notes)
    sys.stdout.write(f"{notes}\n")
    sys.stdout.flush()  # hours before the end
    rows = run(made)
    if not rows:
        sys.stdout.write("nothing is finished yet; other processes are at work.\n")
        return
    simulated = made.measurements.facts["simulated"]
    table = tables.text(rows, config.sweep.criterion)
    sys.stdout.write(f"{config.method}; simulated: {simulated}\n{table}\n")
    if tables.all_diverged(rows, len(made.measurements)):
        raise ValueError(
            f"all images of all {len(rows)} candidates diverged, so that none is the "
            f"best; {made.table} is kept. Try smaller zeta or rho, larger lam or more "
            "steps, in another --workdir."
        )
    sys.stdout.write(
        f"{notes}\nwritten to {folder}; the best: --config {folder / 'best.py'}\n"
    )


def cli() -> None:
    """Define the flags and sweep; here, so that importing this module defines none."""
    config = config_flags.DEFINE_config_file(
        "config", None, "What to reconstruct, for example configs/mri_brats.py."
    )
    workdir = flags.DEFINE_string(
        "workdir", None, "Where to write, and go on; default runs/sweeps/<config>."
    )
    flags.mark_flag_as_required("config")
    launch.keep_compilations()

    def start(words: list[str]) -> None:
        del words
        workdirs.check_path(workdir.value)
        fields.check(config.value, defaults.reconstruction(), "train")
        sampler, data = config.value.sampler, config.value.data
        n_images = max(1, min(sampler.batch_size, data.n_images))
        launch.use_cores(config.value.sweep.batch_size * n_images)
        main(config.value, workdir.value)

    launch.start(start, n_words=0)


if __name__ == "__main__":
    cli()
