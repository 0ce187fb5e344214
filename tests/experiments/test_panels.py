"""Figures of several methods: where they zoom, what they draw, what they keep."""

import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from experiments import panels, scoring


def test_the_zoom_holds_the_edges():
    image = np.zeros((40, 40), np.float32)
    image[22:26, 13:17] = 1.0
    row, column = panels.busiest(image, 10)
    assert row <= 21 and row + 10 >= 27
    assert column <= 12 and column + 10 >= 18


def test_the_zoom_leaves_the_skull_out():
    image = np.zeros((40, 40), np.float32)
    image[:, :3] = image[36:] = 9.0
    image[29:31, 29:31] = 1.0
    row, column = panels.busiest(image, 10)
    assert (row, column) == (22, 22)


def test_a_comparison_has_two_rows_a_slice():
    truth = np.random.default_rng(0).uniform(size=(2, 24, 24)).astype(np.float32)
    fig = panels.comparison(truth, {"ours": 0.9 * truth, "theirs": 0.5 * truth})
    drawn = [ax for ax in fig.axes if ax.get_label() != "<colorbar>"]
    titles = [ax.get_title() for ax in drawn]
    assert len(drawn) == 4 * 3
    assert titles[0] == "reference" and titles[1].startswith("ours\n")
    errors = drawn[3:6]
    assert [len(ax.images) for ax in errors] == [0, 1, 1]
    np.testing.assert_allclose(errors[2].images[0].get_array(), 0.5 * truth[0])


@pytest.fixture
def config(tmp_path):
    made = load(ROOT / "mri_brats.py", "smoke")
    made.sampler.n_steps, made.prior.path = 2, tiny.write_prior(tmp_path, 120, 1)
    return made


def test_kept_images_are_those_of_the_row(config, tmp_path, monkeypatch):
    first = scoring.images(config, "ddnm", tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(scoring, "_reconstructed", None)
        again = scoring.images(config, "ddnm", tmp_path)
    np.testing.assert_array_equal(first, again)
    assert first.shape == (2, 120, 120)
    config.sampler.seed = 5
    assert np.abs(scoring.images(config, "ddnm", tmp_path) - first).max() > 1e-3


def test_reference_and_baseline_have_the_row_s_slices(config):
    reference, baseline = scoring.reference_and_baseline(config)
    assert reference.shape == baseline.shape == (2, 120, 120)
    scored = scoring.baseline(config)
    assert len(scored["psnr"]) == 2 and scored["nfe"] == 0
