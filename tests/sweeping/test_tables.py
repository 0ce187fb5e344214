"""Rows of a sweep, their file, and the figures made of them."""

import numpy as np
import pytest
from test_sweep import formula

from mgdm_jax import metrics, sweeps
from mgdm_jax.sweeping import evaluation, figures, tables
from mgdm_jax.sweeping.tables import Row


def columns(rows):
    values = zip(*rows, strict=True)
    return {k: np.array(v) for k, v in zip(Row._fields, values, strict=True)}


def test_maps_are_the_best_over_the_rest():
    rows = [
        formula(20, zeta, 0.1, rho, eta)._replace(ssim_mean=zeta + rho + eta)
        for zeta in (0.1, 1.0, 10.0)
        for rho in (0.0, 0.1)
        for eta in (0.5, 1.0)
    ]
    fig = figures.heat_map(columns(rows), "zeta", "rho", "note")
    shown = [ax for ax in fig.axes if ax.images]
    assert [ax.get_title().split(",")[0] for ax in shown] == ["PSNR / dB", "SSIM"]
    want = [[zeta + rho + 1.0 for zeta in (0.1, 1.0, 10.0)] for rho in (0.0, 0.1)]
    np.testing.assert_allclose(shown[1].images[0].get_array(), want)
    assert [t.get_text() for t in shown[0].get_xticklabels()] == ["0.1", "1", "10"]
    scattered = figures.heat_map(columns(rows[:3]), "rho", "eta")
    assert not any(ax.images for ax in scattered.axes)


def test_a_grid_is_drawn_with_what_diverged():
    """ζ at the cliff is what one looks for."""
    rows = [
        formula(20, zeta, 0.1, rho, 1.0)._replace(
            merit=-np.inf if zeta > 2 else zeta + rho,
            ssim_mean=np.nan if zeta > 2 else zeta - rho,
        )
        for zeta in (1.0, 2.0, 3.0)
        for rho in (0.0, 0.1)
    ]
    fig = figures.heat_map(columns(rows), "zeta", "rho")
    shown = [ax for ax in fig.axes if ax.images]
    assert len(shown) == 3
    for ax, sign in zip(shown[1:], (-1, 1), strict=True):
        cells = np.ma.filled(ax.images[0].get_array(), np.nan)
        np.testing.assert_allclose(
            cells, [[1, 2, np.nan], [1 + sign * 0.1, 2 + sign * 0.1, np.nan]]
        )
        assert [text.get_text() for text in ax.texts].count("diverged") == 2
    scattered = figures.heat_map(columns(rows[:3] + rows[4:5]), "zeta", "rho")
    ring = scattered.axes[1].lines[-1]
    assert ring.get_markeredgecolor() == "red"
    np.testing.assert_allclose(ring.get_xydata(), [[2.0, 0.0]])


@pytest.mark.parametrize(
    ("criterion", "want"), [("psnr", 3.0), ("held_out", 1.0), ("sure", 1.0)]
)
def test_no_zeta_at_the_cliff_is_taken_unseen(criterion, want):
    """What diverged once of as many steps may do so on the next image."""
    rows = [
        formula(steps, zeta, 0.1, rho, 1.0)._replace(
            merit=zeta - steps, n_diverged=int((steps, zeta, rho) == (20, 2.0, 0.1))
        )
        for steps in (20, 40)
        for zeta in (1.0, 2.0, 3.0)
        for rho in (0.0, 0.1)
    ]
    assert tables.best(rows, criterion).zeta == want
    assert "20 steps diverged from zeta=2 on" in tables.text(rows, criterion)
    lost = [row._replace(n_diverged=1) for row in rows]
    assert tables.best(lost, criterion).zeta == 3.0
    lost[0] = lost[0]._replace(n_diverged=0)
    if criterion != "psnr":  # nothing is below the cliff, and one did not diverge
        assert tables.best(lost, criterion) == lost[0]
        assert "nor is the best" in tables.text(lost, criterion)
        assert "the best is below" in tables.text(rows, criterion)


def test_sensitivity_around_the_best_row():
    rows = [formula(20, z, 0.1, r, 1.0) for z in (0.1, 0.3, 1.0) for r in (0.0, 0.1, 1)]
    fig = figures.sensitivity(columns(rows), "rho")
    lines = {line.get_label(): line for line in fig.axes[0].get_lines()}
    x, y = lines["rest as in the best row"].get_data()
    np.testing.assert_array_equal(x, [0, 0.1, 1])
    np.testing.assert_array_equal(y, [row.psnr_mean for row in rows[3:6]])
    np.testing.assert_array_equal(lines["best over the rest"].get_ydata(), y)


def test_blank_references_have_no_part_in_the_means():
    psnr = np.array([[20.0, -np.inf, 30.0], [10.0, -np.inf, 10.0]])
    outcome = evaluation.Outcome(
        metrics.Scores(psnr=psnr, ssim=psnr / 40, nmse=psnr),
        data_residual=np.full((2, 3), 0.5),
        diverged=np.array([[False, True, True], [False, False, False]]),
        merit=np.array([[1.0, -np.inf, 3.0], [np.nan, 0, 0]]),
    )
    numbers = [sweeps.Numbers(0.1, 0.2, 0.3, eta) for eta in (0.4, 0.5)]
    seen = np.array([True, False, True])
    first, second = tables.rows_of(numbers, 20, 40, outcome, seen)
    assert first == Row(20, 0.1, 0.2, 0.3, 0.4, 25, 5, 0.625, 0.125, 2, 40, 0.5, 2)
    assert second.key == (20, *numbers[1]) and second.psnr_mean == 10
    assert second.merit == -np.inf


def test_a_damaged_table_is_named(tmp_path):
    path = tmp_path / "sweep.csv"
    tables.write(path, [formula(5, 0.1, 0.1, 0.0, 1.0)])
    assert tables.read(path) == [formula(5, 0.1, 0.1, 0.0, 1.0)]
    assert path.read_text().startswith("n_steps,zeta,lam,rho,eta,psnr_mean,")
    path.write_text("image,psnr\n1,2\n")
    with pytest.raises(ValueError, match="no table of a sweep"):
        tables.read(path)
