"""Candidates proposed from what others reached; the one home of optuna.

Tree-structured Parzen estimators (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", 2011) over an SQLite file, which several processes may share. Every
candidate has its own seed, by its place, and what a killed process had asked is taken
over: a resumed study is the one that was not interrupted.
"""

import dataclasses
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgdm_jax.storage import locks
from mgdm_jax.sweeps import Numbers

KEPT = "row"
"""User attribute of a finished trial: its row of the table."""


def require() -> Any:
    """Return optuna, quiet.

    Raises:
      ValueError: if it is not installed.
    """
    try:
        import optuna  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(
            "sweep.strategy=bayesian needs optuna; pip install mgdm-jax[sweep]."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@dataclasses.dataclass(frozen=True)
class Study:
    """Candidates at one number of steps.

    Attributes:
      study: optuna's.
      values: of each of ζ, λ, ρ, η, (low, high) or the one value it keeps.
      seed: of the candidates.
      turn: lock under which candidates are asked.
      left: what killed processes had asked, to be handed out first.
    """

    study: Any
    values: Mapping[str, tuple[float, ...]]
    seed: int
    turn: Path
    left: list[tuple[Any, Numbers]] = dataclasses.field(default_factory=list)

    def ask(self, n: int, n_trials: int) -> list[tuple[Any, Numbers]]:
        """Return the next candidates, none once n_trials have been asked.

        Args:
          n: candidates of a batch; a batch that was cut short is asked to its end.
          n_trials: candidates of the whole study, of all processes together.
        """
        optuna = require()
        states = optuna.trial.TrialState
        taken = [self.left.pop(0) for _ in self.left[:n]]
        if self.left:
            return taken
        with locks.turn(self.turn):
            counted = (states.COMPLETE, states.RUNNING)
            first = len(self.study.get_trials(deepcopy=False, states=counted))
            # The batch of the last one that was taken over, or the one after all.
            inside = first - 1 if taken else first
            end = min(n_trials, inside - inside % n + n, first + n - len(taken))
            return taken + [self._ask_one(optuna, index) for index in range(first, end)]

    def _ask_one(self, optuna: Any, index: int) -> tuple[Any, Numbers]:
        seed = np.random.SeedSequence([self.seed, index]).generate_state(1)
        self.study.sampler = optuna.samplers.TPESampler(
            # The batch's other candidates count as poor ones: they spread.
            seed=int(seed[0]),
            constant_liar=True,
        )
        trial = self.study.ask(_distributions(optuna, self.values))
        return trial, self._numbers(trial.params)

    def _numbers(self, drawn: dict[str, float]) -> Numbers:
        kept = {name: float(values[0]) for name, values in self.values.items()}
        return Numbers(**(kept | drawn))

    def tell(self, trials: Sequence[Any], rows: Sequence[dict[str, Any]]) -> None:
        """Keep the rows of trials; their merit is what is maximised."""
        for trial, row in zip(trials, rows, strict=True):
            trial.set_user_attr(KEPT, row)
            self.study.tell(trial, row["merit"])

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of all processes so far, in the order they were asked."""
        done = (require().trial.TrialState.COMPLETE,)
        trials = self.study.get_trials(deepcopy=False, states=done)
        return [trial.user_attrs[KEPT] for trial in trials]

    def recover(self) -> None:
        """Take over what killed processes had asked; nobody else may be at work.

        Asked anew, they would come in another order, and others after them.
        """
        optuna = require()
        states = optuna.trial.TrialState
        for trial in self.study.get_trials(states=(states.RUNNING,)):
            if trial.params.keys() == _drawn(self.values):
                mine = optuna.trial.Trial(self.study, trial._trial_id)
                self.left.append((mine, self._numbers(trial.params)))
            else:  # killed while it was drawn: its place draws the same again
                self.study.tell(trial.number, state=states.FAIL)


def open_studies(
    path: Path,
    names: Sequence[str],
    values: Mapping[str, tuple[float, ...]],
    seed: int,
    turn: Path,
) -> list[Study]:
    """Return the studies of these names in a file, made if it does not exist."""
    optuna = require()
    from sqlalchemy import pool  # pyright: ignore[reportMissingImports]

    with locks.turn(turn):
        # SQLAlchemy decodes its URLs; without a pool no connection outlives its use.
        url = f"sqlite:///{urllib.parse.quote(str(path.absolute()))}"
        storage = optuna.storages.RDBStorage(
            url, engine_kwargs={"poolclass": pool.NullPool}
        )
        studies = [
            optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize",
                load_if_exists=True,
            )
            for name in names
        ]
    return [Study(study, values, seed, turn) for study in studies]


def _drawn(values: Mapping[str, tuple[float, ...]]) -> set[str]:
    return {name for name, ends in values.items() if len(ends) > 1}


def _distributions(optuna: Any, values: Mapping[str, tuple[float, ...]]) -> dict:
    """Return optuna's distributions: log-uniform where the range is positive."""
    return {
        name: optuna.distributions.FloatDistribution(
            *values[name], log=values[name][0] > 0
        )
        for name in sorted(_drawn(values))
    }
