"""The search finds an optimum beyond its candidates and never asks twice."""

import numpy as np

from experiments import tune

BEST = {"zeta": 23.0, "lam": 1e-2, "rho": 0.0, "eta": 1.0}


def test_search_extends_past_the_edge_and_refines():
    asked = []

    def evaluate(rows):
        asked.extend(tuple(row.values()) for row in rows)
        zeta = np.array([np.log(row["zeta"] / BEST["zeta"]) for row in rows])
        lam = np.array([np.log(row["lam"] / BEST["lam"]) for row in rows])
        eta = np.array([row["eta"] - BEST["eta"] for row in rows])
        return 30 - zeta**2 - 0.1 * lam**2 - eta**2

    best, tried = tune.search(tune.COORDINATES["mgdm_no_r"], evaluate, tune.START)
    assert best == BEST | {"zeta": 32.0 / 1.5}
    assert len(asked) == len(set(asked)) == len(tried)
    assert max(row["psnr"] for row in tried) > 29.99


def test_divergence_never_wins():
    def evaluate(rows):
        return np.array([-np.inf if row["zeta"] > 1 else row["zeta"] for row in rows])

    best, _ = tune.search(("zeta",), evaluate, tune.START)
    assert best["zeta"] == 1.0
