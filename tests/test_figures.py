import inspect

import numpy as np
import pytest

from mgdm_jax import figures, metrics


@pytest.fixture
def stacks():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1, (2, 16, 20)).astype(np.float32)
    return truth, truth + np.float32(0.2), truth + np.float32(0.05)


def image_axes(fig):
    return [ax for ax in fig.axes if ax.images]


def test_panel_shows_three_images_and_the_error(stacks):
    fig = figures.panel(
        *stacks, labels=("Truth", "FBP", "MGDM"), row_labels=("a", "b"), note="Phase."
    )
    shown = image_axes(fig)
    assert len(shown) == 8 and len(fig.axes) == 9
    np.testing.assert_array_equal(shown[4].images[0].get_array(), stacks[0][1])
    np.testing.assert_allclose(shown[3].images[0].get_array(), 0.05, atol=1e-6)
    score = metrics.score(stacks[0][0], stacks[1][0])
    assert shown[1].get_title() == (
        f"FBP\n{float(score.psnr):.2f} dB, SSIM {float(score.ssim):.3f}"
    )
    assert shown[0].get_title() == "Truth" and shown[3].get_title() == "|MGDM - Truth|"
    assert [shown[0].get_ylabel(), shown[4].get_ylabel()] == ["a", "b"]
    assert fig.get_supxlabel() == "Phase.  PSNR and SSIM: slice-max"


def test_panel_scales(stacks):
    window = figures.hounsfield_window(40, 400)
    fig = figures.panel(*stacks, window=window, error_max=0.5)
    limits = [ax.images[0].get_clim() for ax in image_axes(fig)]
    assert limits[:3] == [window] * 3 and limits[3] == (0, 0.5)


def test_panel_of_complex_images_is_that_of_magnitudes(stacks):
    turned = [np.stack([0.6 * s, 0.8 * s], -1) for s in stacks]
    fig = figures.panel(*turned)
    np.testing.assert_allclose(
        image_axes(fig)[0].images[0].get_array(), stacks[0][0], rtol=1e-5
    )


def test_figures_can_be_saved(stacks, tmp_path):
    figures.panel(*stacks).savefig(tmp_path / "panel.png", dpi=40)
    figures.sample_grid(stacks[0]).savefig(tmp_path / "grid.png", dpi=40)
    assert (tmp_path / "panel.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "grid.png").read_bytes()[:4] == b"\x89PNG"


def test_sample_grid_fills_rows():
    fig = figures.sample_grid(np.zeros((7, 8, 8, 2)), columns=3)
    assert len(fig.axes) == 9 and len(image_axes(fig)) == 7


def test_hounsfield_window():
    assert figures.hounsfield_window(0, 2048) == (0, 1)


def test_no_pyplot():
    assert "pyplot" not in inspect.getsource(figures).replace("no pyplot", "")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: figures.panel(s[0], s[1], s[2][:1]), "must have one shape"),
        (lambda s: figures.panel(*s, row_labels=("a",)), "name 2 rows, got 1"),
        (lambda s: figures.sample_grid(s[0][0]), r"got \(16, 20\)"),
        (lambda s: figures.sample_grid(s[0], columns=0), "columns must be at least 1"),
        (lambda _: figures.hounsfield_window(40, 0), "width must be positive"),
    ],
)
def test_bad_arguments_are_named(call, message, stacks):
    with pytest.raises(ValueError, match=message):
        call(stacks)


def test_a_path_is_no_formula(stacks, tmp_path):
    figures.panel(*stacks, note="/mnt/$a_$b/$%$x").savefig(tmp_path / "panel.png")
