"""The search finds an optimum beyond its candidates and never asks twice."""

from pathlib import Path

import numpy as np
import pytest
import tiny

from experiments import ascent, remembering, rows, scoring, search, tune, validation
from mgdm_jax import defaults

BEST = {"zeta": 23.0, "lam": 1e-2, "rho": 0.0, "eta": 0.92}
SPACE = search.SPACES["mgdm_no_r"]
START = search.start("mgdm_no_r")


def landscape(asked):
    def evaluate(rows):
        asked.extend(tuple(row.values()) for row in rows)
        zeta = np.array([np.log(row["zeta"] / BEST["zeta"]) for row in rows])
        lam = np.array([np.log(row["lam"] / BEST["lam"]) for row in rows])
        eta = np.array([row["eta"] - BEST["eta"] for row in rows])
        return 30 - zeta**2 - 0.1 * lam**2 - 10 * eta**2

    return evaluate


def test_descent_extends_past_the_edge():
    asked, tried = [], []
    best = ascent.descend(SPACE, landscape(asked), START, tried)
    assert best == BEST | {"zeta": 32.0, "eta": 0.85}
    assert len(asked) == len(set(asked)) == len(tried)


def test_climb_ends_where_both_neighbours_gain_nothing():
    asked, tried = [], []
    evaluate = landscape(asked)
    start = {"zeta": 60.0, "lam": 0.01, "rho": 0.0, "eta": 0.6}
    best = ascent.climb(SPACE, evaluate, start, tried)
    assert len(asked) == len(set(asked)) == len(tried)
    assert best["lam"] == 0.01
    assert best["eta"] == 0.9
    psnr = max(row["psnr"] for row in tried)
    for name, values in SPACE.items():
        around = ascent.neighbours(name, best[name], values)
        around = [best | {name: v} for v in around]
        assert max(evaluate(around)) < psnr + ascent.MIN_GAIN


def test_climb_finds_all_fresh_noise_behind_a_dip():
    def evaluate(rows):
        return np.array([20 + (row["eta"] - 0.7) ** 2 for row in rows])

    start = {"zeta": 0.0, "lam": 0.0, "rho": 0.0, "eta": 0.6}
    assert ascent.climb({"eta": search.ETA}, evaluate, start, [])["eta"] == 1.0
    assert ascent.climb({"lam": search.LAM}, evaluate, start, [])["eta"] == 0.6


def test_divergence_never_wins():
    def evaluate(rows):
        return np.array([-np.inf if row["zeta"] > 1 else row["zeta"] for row in rows])

    space = {"zeta": search.ZETA}
    assert ascent.descend(space, evaluate, START, [])["zeta"] == 1.0


@pytest.mark.parametrize(("cliff", "zeta"), [(20.0, 16.0 / 1.5), (24.0, 16.0)])
def test_zeta_keeps_a_stride_from_the_cliff(cliff, zeta):
    def evaluate(asked):
        return np.array([r["zeta"] if r["zeta"] <= cliff else -11.0 for r in asked])

    best, tried = START | {"zeta": 16.0}, []
    assert ascent.retreat(evaluate, best, tried)["zeta"] == zeta
    assert {row["zeta"] for row in tried} == {16.0, 24.0, zeta}
    still = START | {"zeta": 0.0}
    assert ascent.retreat(evaluate, still, []) == still


def test_mgdm_starts_where_its_ablation_ended_as_well():
    chosen, settings = START | {"rho": 0.3}, {"slices": 2}
    table = {"mgdm_no_i": {"settings": settings, "chosen": chosen}}
    assert tune.starts(table, "mgdm", START, settings) == [START, chosen]
    assert tune.starts(table, "mgdm", START, {"slices": 4}) == [START]
    assert tune.starts(table, "dps", START, settings) == [START]


@pytest.mark.parametrize(("name", "n"), [("dps", 4), ("dps_1000", 1)])
def test_long_rows_have_a_quarter_of_the_slices(name, n):
    assert tune.slices(name, 4) == n
    assert tune.slices(name, 1) == 1


def test_rows_of_a_family_share_what_is_a_case_of_both():
    settings, zero = {"slices": 2}, {"zeta": 0.0, "lam": 1e-3, "rho": 0.0, "eta": 0.85}
    tried = [zero | {"psnr": 20.0}, zero | {"zeta": 1.0, "psnr": 22.0}]
    found = {"settings": settings, "tried": {"climb": [*tried, tried[0]]}}
    table = {"mgdm_no_r": found}
    assert tune.shared(table, "mgdm", "climb", zero, settings) == tried
    assert tune.shared(table, "mgdm_no_i", "climb", zero, settings) == tried[:1]
    assert not tune.shared(table, "dps", "climb", zero, settings)
    assert not tune.shared(table, "mgdm", "climb", zero, {"slices": 4})


def searched_again(known, monkeypatch, tmp_path, cliff):
    """Return DPS searched where the best is ζ = 23, and what was asked for."""
    asked = []
    config = defaults.reconstruction()
    config.data.n_images, config.sampler.n_steps = 6, 100

    def psnr(rows):
        found = landscape(asked)([row | {"lam": BEST["lam"]} for row in rows])
        return np.where([row["zeta"] < cliff for row in rows], found, -np.inf)

    monkeypatch.setattr(validation, "evaluator", lambda *_: psnr)
    path = tmp_path / "dps.partial.json"
    if known:
        remembering.recall(path, known)
    table = {"dps": known} if known else {}
    return tune.tune(config, "dps", table, {"a": 1}, 1, path), asked


def test_a_row_searched_again_asks_nothing_twice(monkeypatch, tmp_path):
    known, asked = searched_again({}, monkeypatch, tmp_path, cliff=1e3)
    assert asked and known["chosen"]["zeta"] > 16
    (tmp_path / "dps.partial.json").unlink()
    again, asked = searched_again(known, monkeypatch, tmp_path, cliff=1e3)
    assert not asked
    assert again | {"seconds": 0} == known | {"seconds": 0}


def test_the_better_of_two_searches_is_taken_back_from_a_cliff(monkeypatch, tmp_path):
    best = search.start("dps") | {"zeta": 21.0, "eta": 0.92}
    tried = {"descend": [], "climb": [best | {"psnr": 29.99}]}
    known = {"chosen": best, "settings": {"a": 1}, "tried": tried, "seconds": 1.0}
    found, _ = searched_again(known, monkeypatch, tmp_path, cliff=1e3)
    assert found["chosen"] == best and found["psnr"] == 29.99
    (tmp_path / "dps.partial.json").unlink()
    found, _ = searched_again(known, monkeypatch, tmp_path, cliff=22.0)
    assert found["chosen"] == best | {"zeta": 14.0}


def test_climb_stops_on_a_plateau():
    asked = []

    def evaluate(rows):
        asked.extend(rows)
        return np.array([20 - 6 * row["lam"] for row in rows])

    space = {"lam": search.LAM}
    ascent.climb(space, evaluate, {"zeta": 0.0, "lam": 0.1, "rho": 0, "eta": 1}, [])
    assert 4 < len(asked) < 8


def test_the_weight_of_a_merge_stays_below_one():
    """Were more of y better throughout, ScoreMed would take all of it, not twice."""
    tried = []

    def evaluate(rows):
        return np.array([20 + row["lam"] - row["zeta"] for row in rows])

    space, most = search.SPACES["score_med"], search.MOST["score_med"]
    start = search.start("score_med")
    assert start["lam"] == 0.841
    best = ascent.descend(space, evaluate, start, tried, most)
    best = ascent.climb(space, evaluate, best, tried, most)
    assert best["lam"] == 1.0 and max(row["lam"] for row in tried) == 1.0


def test_every_compared_row_has_a_space_and_starts_inside():
    assert set(rows.COMPARED) - {"ddim"} == set(search.SPACES)
    for name, space in search.SPACES.items():
        numbers = search.start(name)
        assert all(numbers[k] in values for k, values in space.items())
        assert list(numbers) == ["zeta", "lam", "rho", "eta"]
    assert search.start("score_mri") == {"zeta": 0.25, "lam": 1, "rho": 0, "eta": 0}
    assert search.start("diffpir")["lam"] == 7.0


@pytest.fixture
def of_s1(tmp_path):
    return tiny.write_prior(tmp_path, training={"subjects": "s1,s1"})


def test_no_search_on_a_subject_that_the_prior_has_met(of_s1):
    validation.check_held_back(of_s1, "itk_mprage")
    with pytest.raises(ValueError, match="was trained on s1"):
        validation.check_held_back(of_s1, "s1")
    with pytest.raises(ValueError, match=r"--subject, or images of your own"):
        validation.check_held_back(of_s1, None)


def test_of_a_prepared_file_the_validation_split_is_searched_on():
    config = defaults.reconstruction()
    config.data.path = "brats.h5"
    assert validation.on(config, None, 4).data.split == "validation"
    assert config.data.split == "test"


def test_a_prior_is_known_by_its_weights_wherever_they_lie(of_s1, tmp_path):
    config = defaults.reconstruction()
    config.prior.path = of_s1
    name = scoring.prior_id(config)
    elsewhere = tmp_path / "moved.safetensors"
    elsewhere.write_bytes(Path(of_s1).read_bytes())
    config.prior.path = str(elsewhere)
    assert scoring.prior_id(config) == name and name.startswith("tiny ")
