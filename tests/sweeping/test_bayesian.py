"""A study that is killed at any of its writes ends as the one that was not."""

import os
from pathlib import Path

import numpy as np
import pytest

from mgdm_jax.sweeping import bayesian

optuna = pytest.importorskip("optuna")

VALUES = {"zeta": (0.1, 10.0), "lam": (0.1,), "rho": (0.0, 0.2), "eta": (0.85,)}
SIZE, N_TRIALS = 4, 18
WRITES = (
    *("create_new_trial", "set_trial_param"),
    *("set_trial_user_attr", "set_trial_state_values"),
)


def search(folder):
    """Open the study of a folder alone, finish it and return its rows."""
    (study,) = bayesian.open_studies(
        folder / "b.db", ["n_steps=2"], VALUES, 0, folder / ".turn"
    )
    study.recover()
    while asked := study.ask(SIZE, N_TRIALS):
        assert len(asked) <= SIZE
        trials, candidates = zip(*asked, strict=True)
        rows = [
            c._asdict() | {"merit": -abs(np.log(c.zeta)) - c.rho} for c in candidates
        ]
        study.tell(trials, rows)
    return study.rows()


@pytest.fixture
def die_after(monkeypatch):
    """Return what sets the number of writes to the next kill."""
    left = [None]

    def dying(write):
        def write_or_die(*args, **kwargs):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] = left[0] and left[0] - 1
            return write(*args, **kwargs)

        return write_or_die

    for name in WRITES:
        write = getattr(optuna.storages.RDBStorage, name)
        monkeypatch.setattr(optuna.storages.RDBStorage, name, dying(write))

    def set_to(n_writes):
        left[0] = n_writes

    return set_to


def test_no_connection_is_left_open(tmp_path):
    """Python 3.13 warns of each that is collected; every version counts its files."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no list of open files")
    assert len(search(tmp_path)) == N_TRIALS
    held = [os.path.realpath(link) for link in folder.iterdir()]
    assert str(tmp_path / "b.db") not in held


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_writes_it_is_the_same_study(seed, tmp_path, die_after):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = search(tmp_path / "whole")
    assert len(whole) == N_TRIALS
    rng, n_kills, found = np.random.default_rng(seed), 0, None
    while found is None:
        die_after(int(rng.integers(1, 8)))
        try:
            found = search(tmp_path / "killed")
        except KeyboardInterrupt:
            n_kills += 1
    assert n_kills > 3 and found == whole
