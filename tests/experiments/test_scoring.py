"""Kept results, their pairing and the table."""

import json

import numpy as np
import pytest
from test_configs import ROOT, load

from experiments import rows, scoring


def result(psnr):
    return {"psnr": psnr, "ssim": [0.5] * len(psnr), "nfe": 7, "seconds": 1.25}


def test_fewer_slices_are_paired_with_the_same_ones():
    ours = result(list(range(16)))
    lead = scoring.paired_lead(ours, result([0.0, 0.0, 0.0, 0.0]))
    np.testing.assert_array_equal(lead, [0, 5, 10, 15])
    with pytest.raises(ValueError, match="every so many"):
        scoring.paired_lead(ours, result([0.0] * 5))


def test_the_table_quotes_the_paper_beside_ours():
    results = {"ddnm": result([20.0, 21.0, 22.0]), "mgdm": result([21.0, 22.0, 23.5])}
    table = scoring.markdown(results, {"ddnm": ("39.92", "0.965")}, "BraTS")
    assert "paper, on BraTS" in table.splitlines()[0]
    ddnm, ours = table.splitlines()[2:]
    assert "+1.17 [+1.00, +1.50]" in ddnm and "39.92, 0.965" in ddnm
    assert "22.17 ± 1.03" in ours and ours.endswith("| - |")
    assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_kept_result_is_used_until_its_settings_change(tmp_path, monkeypatch):
    config = load(ROOT / "mri_brats.py", "smoke")
    runs = []

    def score(config):
        runs.append(config.method)
        return result([20.0, 21.0])

    monkeypatch.setattr(scoring, "score", score)
    monkeypatch.setattr(scoring, "baseline", lambda _: result([10.0, 11.0]))
    for _ in range(2):
        scoring.collect(config, ["ddnm", "mgdm", "ddnm_fbp"], tmp_path)
    assert runs == ["ddnm", "mgdm"]
    config.tuned.mgdm = {"4": (0.1, 0.1, 0.1, 0.1)}
    results = scoring.collect(config, ["ddnm", "mgdm"], tmp_path)
    assert runs == ["ddnm", "mgdm", "mgdm"]
    kept = json.loads(
        (tmp_path / "mri_brats-equispaced-4x-5steps-mgdm.json").read_text()
    )
    assert kept == results["mgdm"] and kept["settings"]["numbers"] == [0.1] * 4
    scoring.write_csv(results, tmp_path / "table.csv")
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 7


def test_long_rows_take_ten_times_the_steps():
    config = load(ROOT / "mri_brats.py")
    assert rows.configured(config, "dps_1000").sampler.n_steps == 1000
    assert rows.configured(config, "csgm_langevin").sampler.n_steps == 333
    assert rows.configured(config, "dps").sampler.n_steps == 100


def test_changes_of_a_row_reach_its_configuration(tmp_path, monkeypatch):
    config = load(ROOT / "mri_brats.py", "smoke")
    seeds = []
    monkeypatch.setattr(
        scoring, "score", lambda c: seeds.append(c.sampler.seed) or result([1.0, 2.0])
    )
    monkeypatch.setattr(scoring, "baseline", lambda _: result([0.0, 0.0]))
    changes = {"ddnm": {"sampler.seed": 7}}
    scoring.collect(config, ["ddnm", "mgdm"], tmp_path, changes)
    assert seeds == [7, 0]
