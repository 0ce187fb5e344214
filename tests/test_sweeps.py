"""Which candidates a sweep tries, and which it refuses."""

import numpy as np
import pytest

from mgdm_jax import defaults, sweeps
from mgdm_jax.sweeping import search_space
from mgdm_jax.sweeps import Numbers

RANGES = {"zeta": (0.01, 100.0), "lam": (0.5,), "rho": (0.0, 2.0), "eta": (0.2, 1.0)}


def config(**fields):
    made = defaults.reconstruction()
    for name, value in fields.items():
        made.sweep[name] = value
    return made


def test_the_last_number_of_a_grid_varies_fastest():
    values = {"zeta": (2, 1), "lam": (0.5,), "rho": (0.0,), "eta": (0.0, 1.0)}
    rows = sweeps.combinations(values)
    assert rows[1] == Numbers(2.0, 0.5, 0.0, 1.0)
    assert [row[::3] for row in rows] == [(2, 0), (2, 1), (1, 0), (1, 1)]
    stacked = sweeps.stack(rows)
    for got, want in zip(stacked, sweeps.grid(**values), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(stacked.zeta, [2, 2, 1, 1])


def test_random_candidates_lie_in_their_ranges():
    drawn = np.array(sweeps.draw(RANGES, 400, seed=0)).T
    columns = dict(zip(Numbers._fields, drawn, strict=True))
    for name, ends in RANGES.items():
        assert columns[name].min() >= ends[0] and columns[name].max() <= ends[-1]
    assert (columns["lam"] == 0.5).all()
    # Log-uniform where positive: its median is the geometric mean; uniform from 0.
    assert 0.5 < np.median(columns["zeta"]) < 2
    assert 0.8 < np.median(columns["rho"]) < 1.2


def test_random_candidates_are_their_seeds():
    drawn = sweeps.draw(RANGES, 8, seed=3)
    assert sweeps.draw(RANGES, 5, seed=3) == drawn[:5]
    assert not set(sweeps.draw(RANGES, 8, seed=4)) & set(drawn)
    assert all(float(f"{value:.4g}") == value for row in drawn for value in row)


def test_what_is_not_swept_stays_as_run_would_take_it():
    made = config(zeta=(1, 0.1, 1), n_steps=(20, 10))
    made.tuned.mgdm = {"4": (9.0, 0.02, 0.3, 0.7)}
    made.guidance.rho = 0.4
    space = search_space.read(made)
    assert space.n_steps == (20, 10)
    assert space.values == {
        "zeta": (1.0, 0.1),
        "lam": (0.02,),
        "rho": (0.4,),
        "eta": (0.7,),
    }


def test_what_is_swept_needs_no_tuned_value():
    made = config(zeta=(1.0,), lam=(1.0, 2.0), rho=(0.0,), eta=(1.0,))
    made.method, made.tuned.mgdm = "mgdm", {}
    space = search_space.read(made)
    assert space.values["lam"] == (1.0, 2.0)
    assert space.n_steps == (made.sampler.n_steps,)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing to sweep"),
        ({"strategy": "magic", "zeta": (1.0,)}, "strategy must be one of"),
        ({"zeta": (0.1, -1.0)}, "zeta must hold numbers that are not negative"),
        ({"zeta": ("abc",)}, "zeta must hold numbers"),
        ({"zeta": (float("nan"),)}, "zeta must hold numbers"),
        ({"lam": (float("inf"),)}, "lam must hold numbers"),
        ({"rho": (True,)}, "rho must hold numbers"),
        ({"eta": (0.5, 1.1)}, "not negative up to 1"),
        ({"n_steps": (0,)}, "n_steps must hold whole numbers"),
        ({"n_steps": (2.5,)}, "n_steps must hold whole numbers"),
        ({"strategy": "random", "zeta": (1.0, 0.1)}, "low below high"),
        ({"strategy": "random", "zeta": (1.0, 1.0)}, "low below high"),
        ({"strategy": "bayesian", "zeta": (0.1, 1.0, 2.0)}, "low below high"),
        ({"strategy": "random", "zeta": (1.0,)}, "nothing to sweep"),
        ({"strategy": "random", "n_steps": (5, 10)}, "nothing to sweep"),
    ],
)
def test_spaces_that_make_no_sense_are_one_line(fields, message):
    with pytest.raises(ValueError, match=message) as caught:
        search_space.read(config(**fields))
    assert "\n" not in str(caught.value)
