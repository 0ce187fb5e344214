"""Images that no prior would draw are told of, sane ones are not."""

import numpy as np
import pytest

from mgdm_jax import results
from mgdm_jax.report import cautions


@pytest.mark.parametrize(
    ("images", "n_warnings"),
    [
        (np.array([[[0.0, 1.0]]]), 0),
        (np.array([[[-0.4, 1.4]]]), 0),
        (np.array([[[-0.6, 1.0]]]), 1),
        (np.array([[[0.0, 1.6]]]), 1),
        (np.array([[[[-1.0, 0.0]]]]), 0),  # complex, of magnitude 1
        (np.array([[[[-1.2, 1.2]]]]), 1),
    ],
)
def test_images_beyond_the_prior(images, n_warnings):
    facts = {"image_range": results.image_range(images), "n_diverged": 0}
    found = cautions.misfit(facts)
    assert len(found) == n_warnings
    assert [
        text for text in cautions.all_of(facts, []) if "do not fit" in text
    ] == found
    assert results.warnings(facts) == [f"WARNING: {text}" for text in found]


@pytest.mark.parametrize(
    ("residual", "expected", "method", "told"),
    [
        (0.39, 0.0, "mgdm", False),
        (0.8, 0.0, "mgdm", True),
        (0.8, 0.5, "mgdm", False),  # by noise
        (0.8, 0.1, "mgdm", True),
        (0.8, 0.0, "ddim", False),  # looks at no measurements
    ],
)
def test_images_that_contradict_their_measurements(residual, expected, method, told):
    facts = {
        "data_residual_mean": residual,
        "expected_residual": expected,
        "method": method,
        "n_diverged": 0,
    }
    found = cautions.unexplained(facts)
    assert bool(found) == told
    assert [x for x in cautions.all_of(facts, []) if "contradict" in x] == found
    assert results.warnings(facts) == [f"WARNING: {text}" for text in found]
    assert all(("by noise 0.1" in text) == bool(expected) for text in found)


@pytest.mark.parametrize(
    ("simulated", "advice"),
    [
        ("nothing known of", "mask and k-space are in one order"),
        ("sinogram from reconstructed CT slices", "it more steps"),
        ("deblurring", "it more steps"),
    ],
)
def test_what_was_simulated_is_not_to_be_checked_for_its_order(simulated, advice):
    (text,) = cautions.unexplained({"data_residual_mean": 0.8, "simulated": simulated})
    assert advice in text and ("coil" in text) == simulated.startswith("nothing")


def test_doubts_about_measurements_are_told_with_the_results():
    facts = {"doubts": ["its mask is odd."], "n_diverged": 0}
    assert cautions.all_of(facts, []) == ["Its mask is odd."]
    assert results.warnings(facts) == ["WARNING: Its mask is odd."]


def test_runs_from_before_there_was_a_range():
    assert cautions.misfit({}) == []


def test_diverged_samples_are_told_of_where_there_are_several():
    facts = {"n_samples": 8, "n_images": 2, "n_diverged_samples": 3, "n_diverged": 0}
    assert cautions.samples(facts)[0].startswith("3 of 16 samples diverged")
    assert results.warnings(facts) == [f"WARNING: {cautions.samples(facts)[0]}"]
    assert not cautions.samples(facts | {"n_samples": 1})
    assert not cautions.samples({"n_samples": 8, "n_images": 2})
