"""Tables against hand-computed values, quadrature against closed forms, time grids."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import normal

from mgdm_jax import schedules


def test_linear_table():
    table = schedules.discrete_vp("linear")
    assert table.dtype == np.float64
    np.testing.assert_allclose(table[0], 1 - 1e-4, rtol=1e-12)
    second = (1 - 1e-4) * (1 - 1e-4 - (0.02 - 1e-4) / 999)
    np.testing.assert_allclose(table[1], second, rtol=1e-12)
    betas = np.linspace(1e-4, 0.02, 1000)
    np.testing.assert_allclose(table[-1], np.exp(np.log1p(-betas).sum()), rtol=1e-9)
    np.testing.assert_allclose(table[-1], 4.036e-5, rtol=1e-4)


def test_linear_schedule_of_another_length_spans_the_same_process():
    full, short = (schedules.discrete_vp("linear", n) for n in (1000, 250))
    np.testing.assert_allclose(np.log(short[-1]), np.log(full[-1]), rtol=0.03)


def test_cosine_table():
    table = schedules.discrete_vp("cosine")
    edge = np.cos((np.array([0, 500]) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(table[499], edge[1] / edge[0], rtol=1e-9)
    assert schedules.cosine_betas().max() == 0.999


def test_scaled_linear_betas():
    betas = schedules.scaled_linear_betas()
    np.testing.assert_allclose(betas[[0, -1]], [0.00085, 0.012])
    np.testing.assert_allclose(np.diff(np.sqrt(betas), 2), 0, atol=1e-12)


@pytest.mark.parametrize("root", [1, 2])
def test_given_betas_are_taken_as_they_are(root):
    """Of T = 2000 as well: diffusers does not rescale them."""
    name = {1: "linear", 2: "scaled_linear"}[root]
    betas = np.linspace(1e-4 ** (1 / root), 0.02 ** (1 / root), 2000) ** root
    table = schedules.discrete_vp(name, 2000, (1e-4, 0.02))
    np.testing.assert_allclose(table, np.cumprod(1 - betas), rtol=1e-9)


@pytest.mark.parametrize(
    ("n", "betas"), [(0, None), (10, (0.2, 0.1)), (10, (0.0, 0.1)), (10, (0.1, 1.0))]
)
def test_numbers_that_make_no_schedule_are_refused(n, betas):
    with pytest.raises(ValueError, match="a schedule has 1 to 10⁶ steps"):
        schedules.discrete_vp("linear", n, betas)


@pytest.mark.parametrize(
    ("name", "n", "betas"),
    [
        ("linear", 5, None),
        ("linear", 10, None),
        ("linear", 20, None),
        ("scaled_linear", 2, None),
        ("linear", 1000, (1e-8, 0.02)),
    ],
)
def test_a_schedule_that_leaves_0_to_1_is_refused(name, n, betas):
    """Five steps of the published process have a β of 4, twenty one of 1."""
    with pytest.raises(ValueError, match="β must be above 3e-8"):
        schedules.discrete_vp(name, n, betas)


def test_unknown_schedule_is_named():
    with pytest.raises(ValueError, match=r"schedule must be linear, .* got 'sine'"):
        schedules.discrete_vp("sine")


def test_continuous_vp_by_quadrature_agrees_with_the_closed_form():
    t = jnp.linspace(0.0, 1.0, 37)
    got = schedules.continuous_vp(lambda t: 0.1 + t * 19.9)(t)
    want = schedules.linear_vp(t)
    exact = 0.1 * np.float64(t) + 19.9 * np.float64(t) ** 2 / 2
    np.testing.assert_allclose(want[0], np.exp(-exact / 2), rtol=1e-5)
    np.testing.assert_allclose(want[1], np.sqrt(-np.expm1(-exact)), rtol=1e-5)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-7)


def test_continuous_vp_of_a_beta_that_starts_at_zero():
    """∫₀ᵗ 20 sin²(πs/2) ds = 10 t - 10 sin(πt)/π; its spline undershoots near 0."""
    t = jnp.array([0.0, 1e-6, 1e-3, 0.1, 0.37, 1.0], jnp.float32)
    mu, sigma = schedules.continuous_vp(lambda t: 20 * jnp.sin(np.pi / 2 * t) ** 2)(t)
    integral = 10 * np.float64(t) - 10 * np.sin(np.pi * np.float64(t)) / np.pi
    np.testing.assert_allclose(mu, np.exp(-integral / 2), rtol=1e-5)
    want = np.sqrt(-np.expm1(-integral))
    np.testing.assert_allclose(sigma, want, rtol=1e-5, atol=3e-5)


def test_ve_and_vp_are_one_process(key):
    table = schedules.discrete_vp("linear")
    x_t, level = normal(key, (5,)), jnp.float32(table[700])
    x_sigma, sigma = schedules.vp_to_ve(x_t, level)
    back, level_back = schedules.ve_to_vp(x_sigma, sigma)
    np.testing.assert_allclose(back, x_t, rtol=1e-5)
    np.testing.assert_allclose(level_back, level, rtol=1e-5)
    np.testing.assert_allclose(np.sqrt((1 - table[-1]) / table[-1]), 157, atol=1)


def test_geometric_sigmas():
    sigmas = schedules.geometric_sigmas(5, 0.01, 100.0)
    np.testing.assert_allclose(sigmas, [100, 10, 1, 0.1, 0.01])


@pytest.mark.parametrize("n_steps", [1, 20, 100, 200, 350, 1000])
@pytest.mark.parametrize(
    "kind", ["ddnm", "leading", "linspace", "quadratic", "log_snr"]
)
def test_grids_have_exactly_n_steps(n_steps, kind):
    indices = schedules.indices(n_steps, schedules.discrete_vp("linear"), kind)
    assert len(indices) == n_steps
    assert np.all(np.diff(indices) < 0)
    assert indices[-1] >= 0 and indices[0] <= 999


def test_grids_of_the_codes():
    assert list(schedules.time_indices(100)) == list(range(990, -1, -10))
    assert schedules.time_indices(350)[0] == 997
    assert schedules.time_indices(350, kind="leading")[0] == 698
    assert schedules.time_indices(350, kind="leading")[-1] == 0
    assert list(schedules.time_indices(3, kind="linspace")) == [999, 500, 0]
    assert list(schedules.time_indices(4, kind="quadratic")) == [999, 444, 111, 0]


@pytest.mark.parametrize("kind", ["linspace", "quadratic", "log_snr"])
def test_the_only_time_is_the_noisiest(kind):
    assert schedules.indices(1, schedules.discrete_vp("linear"), kind) == [999]


def test_log_snr_grid_is_even_where_the_table_is_fine_enough():
    table = schedules.discrete_vp("linear")
    indices = schedules.log_snr_indices(20, table)
    assert indices[0] == 999 and indices[-1] == 0
    steps = np.diff(np.log(table / (1 - table))[indices])
    np.testing.assert_allclose(steps[:15], steps[:15].mean(), rtol=0.02)


def test_look_back_of_second_order():
    table = np.array([1 / (1 + np.exp(-snr)) for snr in (-4.0, -2.0, 1.0, 2.0, 5.0)])
    weights = schedules.look_back(table)
    np.testing.assert_allclose(weights, [0, 3 / 4, 1 / 6, 3 / 2, 0], rtol=1e-9)
    grid = schedules.time_grid(table[::-1], np.arange(5)[::-1], order=2)
    np.testing.assert_allclose(grid.look_back, weights, rtol=1e-6)
    first = schedules.time_grid(table[::-1], np.arange(5)[::-1])
    np.testing.assert_array_equal(first.look_back, 0)


@pytest.mark.parametrize(("order", "repeat"), [(0, 1), (3, 1), (2, 2)])
def test_bad_orders_are_refused(order, repeat):
    table = schedules.discrete_vp("linear")
    with pytest.raises(ValueError, match="order must be 1, or without time travel 2"):
        schedules.time_grid(table, schedules.time_indices(9), (2, repeat), order)


def test_times_that_rise_are_refused():
    with pytest.raises(ValueError, match="indices must fall, from noisy to clean"):
        schedules.time_grid(schedules.discrete_vp("linear"), np.array([0, 500, 999]))


def test_last_step_ends_clean():
    table = schedules.discrete_vp("linear")
    grid = schedules.time_grid(table, schedules.time_indices(10))
    assert grid.alpha_bar_next[-1] == 1
    np.testing.assert_array_equal(grid.alpha_bar_next[:-1], grid.alpha_bar[1:])
    np.testing.assert_allclose(grid.alpha_bar, table[grid.t], rtol=1e-6)


def test_time_travel_walks_each_stretch_again():
    """The list of the published code for K = 6, l = 2, r = 2, ups merged away.

    There: 5 4 3 2 | 3 4 | 3 2 1 0 | 1 2 | 1 0, jumps at levels 0 and 2.
    """
    starts, ends = schedules.travel_order(6, 2, 2)
    assert list(starts) == [5, 4, 3, 4, 3, 2, 1, 2, 1, 0]
    assert list(ends) == [4, 3, 4, 3, 2, 1, 2, 1, 0, -1]
    straight, down = schedules.travel_order(4, 1, 1)
    assert list(straight) == [3, 2, 1, 0] and list(down) == [2, 1, 0, -1]


def test_a_travelling_grid_leads_up_and_ends_clean():
    table = schedules.discrete_vp("linear")
    indices = schedules.time_indices(6)
    grid = schedules.time_grid(table, indices, (2, 2))
    assert list(grid.t[:4]) == [indices[0], indices[1], indices[2], indices[1]]
    np.testing.assert_array_equal(grid.alpha_bar_next[:-1], grid.alpha_bar[1:])
    assert grid.alpha_bar_next[-1] == 1
    assert (np.diff(np.float64(grid.alpha_bar)) < 0).sum() == 2


@pytest.mark.parametrize("travel", [(0, 1), (1, 0), (5, 2)])
def test_bad_travels_are_refused(travel):
    with pytest.raises(ValueError, match="travel_length"):
        schedules.travel_order(5, *travel)


@pytest.mark.parametrize(
    ("n_steps", "kind", "message"),
    [
        (0, "ddnm", r"n_steps must lie in \[1, 1000\], got 0"),
        (1001, "leading", r"n_steps must lie in \[1, 1000\], got 1001"),
        (5, "x", "time_grid must be ddnm, .* quadratic or log_snr, got 'x'"),
    ],
)
def test_bad_grids_are_refused(n_steps, kind, message):
    with pytest.raises(ValueError, match=message):
        schedules.time_indices(n_steps, 1000, kind)
