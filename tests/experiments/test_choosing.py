"""Choosing without references, compared with the oracle: resumed, and counted right."""

import json

import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from experiments import choosing
from mgdm_jax import sweeps
from mgdm_jax.sweeping import evaluation

FACTORS = choosing.Factors([1.0, 2.0], [1.0, 4.0])


@pytest.fixture
def config(tmp_path):
    config = load(ROOT / "mri_brats.py")
    config.prior.path = tiny.write_prior(tmp_path)
    config.sampler.n_steps, config.data.n_images = 2, 2
    return config


def counted(monkeypatch, lives=10**6):
    """Return a list of the candidates that will have been evaluated, of `lives`."""
    asked, make = [], evaluation.make

    def spied(*arguments, **named):
        evaluate = make(*arguments, **named)

        def once(guidance):
            if len(asked) >= lives:
                raise KeyboardInterrupt
            asked.extend(np.asarray(guidance.zeta).tolist())
            return evaluate(guidance)

        return once

    monkeypatch.setattr(evaluation, "make", spied)
    return asked


def test_a_killed_comparison_asks_nothing_twice(config, tmp_path, monkeypatch):
    n = len(choosing.candidates(config, FACTORS))
    with monkeypatch.context() as patch:
        whole = counted(patch)
        want = choosing.table(config, FACTORS, tmp_path / "whole.json")
    assert len(whole) == 2 * n  # the oracle's, and held_out's
    kept = tmp_path / "kept.json"
    with monkeypatch.context() as patch:
        before = counted(patch, lives=n + 5)
        with pytest.raises(KeyboardInterrupt):
            choosing.table(config, FACTORS, kept)
    after = counted(monkeypatch)
    found = choosing.table(config, FACTORS, kept)
    assert before + after == whole
    assert without_seconds(found) == without_seconds(want)
    counted(monkeypatch, lives=0)
    check_the_loss_is_that_of_the_choice(config, kept)
    config.sampler.seed = 1  # another noise: nothing that is known serves
    with pytest.raises(KeyboardInterrupt):
        choosing.table(config, FACTORS, kept)


def without_seconds(table):
    return [line.split("|")[:-2] for line in table.splitlines()]


def check_the_loss_is_that_of_the_choice(config, kept):
    """Of two slices and the values that are kept for each, by hand."""
    known = json.loads(kept.read_text())
    n = len(choosing.candidates(config, FACTORS))
    psnr, merit = np.zeros((n, 2)), np.zeros((n, 2))
    psnr[0] = 20, 21
    psnr[3] = 30, 22
    psnr[4] = 29, 24
    merit[4] = 1, 0.5
    merit[3, 1] = 1
    merit[5], merit[6] = -0.9, -0.8
    known["psnr"]["values"] = psnr.tolist()
    known["held_out"]["values"] = merit.tolist()
    kept.write_text(json.dumps(known))
    *_, oracle, validation, chosen, pooled = choosing.table(
        config, FACTORS, kept
    ).splitlines()
    assert oracle.startswith("| oracle, per slice | 27.00 | 0.00, 0.00 |")
    assert validation.startswith("| validation subject | 20.50 | 6.50, 10.00 |")
    assert chosen.startswith("| held_out, per slice | 25.50 | 1.50, 2.00 |")
    assert pooled.startswith("| held_out, one choice for all | 26.50 | 0.50, 1.00 |")


def test_no_candidate_at_the_cliff_is_chosen():
    """As `sweep` chooses: of one slice by what that slice has seen."""
    asked = [sweeps.Numbers(zeta, lam, 0, 1) for zeta in (3, 1, 2) for lam in (1, 2)]
    lost = -np.inf
    merit = np.array(
        [[-0.1, -0.1], [-0.1, lost], [-0.3] * 2, [-0.4] * 2, *2 * [[-0.2] * 2]]
    )
    both = choosing.below_cliff(merit, asked)
    assert both.mean(axis=1).argmax() == 4 and np.isneginf(both[:2]).all()
    first = choosing.below_cliff(merit[:, :1], asked)
    assert first.argmax() == 0
    merit[3] = lost  # of the least ζ: nothing is below, and the rest is as it was
    np.testing.assert_array_equal(choosing.below_cliff(merit, asked), merit)
