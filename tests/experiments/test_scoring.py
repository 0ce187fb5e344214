"""Kept results, their pairing and the table."""

import json
import re

import numpy as np
import pytest
from test_configs import ROOT, load

from experiments import report, rows, scoring
from mgdm_jax import hyperparameters


def result(psnr):
    return {"psnr": psnr, "ssim": [0.5] * len(psnr), "nfe": 7, "seconds": 1.25}


def test_fewer_slices_are_paired_with_the_same_ones():
    ours = result(list(range(16)))
    lead = report.paired_lead(ours, result([0.0, 0.0, 0.0, 0.0]))
    np.testing.assert_array_equal(lead, [0, 5, 10, 15])
    with pytest.raises(ValueError, match="every so many"):
        report.paired_lead(ours, result([0.0] * 5))


def test_the_table_quotes_the_paper_beside_ours():
    facts = {"data": "sample", "effective_acceleration": 3.87, "noise_std": 0.0}
    results = {
        "baseline": result([1.0, 2.0, 3.0]) | {"facts": facts},
        "ddnm": result([20.0, 21.0, 22.0]) | {"origin": "starting values"},
        "mgdm": result([21.0, 22.0, 23.5]) | {"n_broken": 1},
    }
    for row in ("ddnm", "mgdm"):
        results[row]["settings"] = {"numbers": [2.0, 0.01, 0.0, 1.0]}
    table = report.markdown(results, {"ddnm": ("39.92", "0.965")}, "BraTS")
    assert "paper, on BraTS" in table.splitlines()[0]
    ddnm, ours = table.splitlines()[3:5]
    assert "+1.17 (+1.00 … +1.50)" in ddnm and "39.92, 0.965" in ddnm
    assert "| 2, 0.01, 0, 1 † |" in ddnm and "| 2, 0.01, 0, 1 |" in ours
    assert "22.17 ± 1.03" in ours and ours.endswith("| - |")
    assert "| 3, 1 broke down |" in ours
    assert len({line.count("|") for line in table.splitlines()[:5]}) == 1
    assert "\nsample; effective acceleration 3.87. PSNR and SSIM: slice-max" in table


def test_many_slices_have_an_interval_and_no_mgdm_no_lead():
    many = {name: result(list(range(8))) for name in ("baseline", "ddnm")}
    assert "[" not in report.markdown(many, {}, "")
    many["mgdm"] = result([v + 1 + v % 2 for v in range(8)])
    assert re.search(r"\+1\.50 \[\+1\.\d\d, \+1\.\d\d\]", report.markdown(many, {}, ""))


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
    assert (
        kept | {"origin": "", "nfe": 5, "backward": 10} == results["mgdm"]
        and kept["settings"]["numbers"] == [0.1] * 4
    )
    report.write_csv(results, tmp_path / "table.csv")
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 7


@pytest.mark.parametrize(
    ("names", "n_images", "message"),
    [(["ddnm", "dps_1000"], 8, "16 images"), (["mgdm", "new"], 4, "no tuned value")],
)
def test_what_cannot_run_is_refused_before_anything_does(
    names, n_images, message, tmp_path, monkeypatch
):
    config = load(ROOT / "mri_brats.py", "smoke")
    config.data.n_images = n_images
    monkeypatch.setitem(rows.VARIANTS, "new", {})
    monkeypatch.setattr(scoring, "score", lambda _: pytest.fail("ran"))
    with pytest.raises(ValueError, match=message):
        scoring.collect(config, names, tmp_path)


def test_every_compared_row_has_numbers_of_its_own(tmp_path):
    """Rows that are another method's variant do not take that method's numbers."""
    config = load(ROOT / "ct_lidc.py", "smoke").lock()
    for name in rows.applicable(config, list(rows.VARIANTS)):
        row = rows.configured(config, name)
        hyperparameters.resolve(row)
        chosen = name in config.tuned and "23" in config.tuned[name]
        assert (hyperparameters.origin(row) == "") == chosen, name


def test_the_data_of_a_result_are_among_its_settings():
    config = load(ROOT / "mri_brats.py", "smoke")
    sample = scoring.settings(config)
    config.data.path = "scan.h5"
    assert scoring.settings(config) != sample


def test_an_image_that_broke_down_is_counted(monkeypatch):
    config = load(ROOT / "mri_brats.py", "smoke")
    truth = np.zeros((3, 16, 16), np.float32)
    truth[:, 4:9, 4:9] = 1
    images = truth + np.array([0.1, 9.0, 0.0], np.float32)[:, None, None]
    monkeypatch.setattr(scoring, "_reconstructed", lambda _: (truth, images, {}))
    assert scoring.score(config)["n_broken"] == 1


def test_long_rows_take_ten_times_the_steps():
    config = load(ROOT / "mri_brats.py")
    assert rows.configured(config, "dps_1000").sampler.n_steps == 1000
    assert rows.configured(config, "csgm_langevin").sampler.n_steps == 333
    assert rows.configured(config, "dps").sampler.n_steps == 100
    config.sampler.n_steps = 350
    assert rows.configured(config, "score_med").sampler.n_steps == 1000


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


@pytest.mark.parametrize("most", [4, 16])
def test_long_rows_have_as_many_slices_as_are_asked_for(most, tmp_path, monkeypatch):
    config = load(ROOT / "mri_brats.py", "smoke")
    config.data.n_images = 16
    monkeypatch.setattr(scoring, "baseline", lambda _: result([10.0]))
    monkeypatch.setattr(
        scoring, "score", lambda row: result([20.0] * row.data.n_images)
    )
    found = scoring.collect(config, ["ddnm", "dps_1000"], tmp_path, long_slices=most)
    assert [len(row["psnr"]) for row in found.values()] == [1, 16, most]
    again = scoring.collect(config, ["dps_1000"], tmp_path, long_slices=4)
    assert len(again["dps_1000"]["psnr"]) == most  # more than asked for is kept


def test_seconds_say_of_which_device_they_are_unless_of_a_cpu():
    results = {"baseline": result([20.0])}
    results["dps"] = result([22.0]) | {"seconds": 1.5, "device": "NVIDIA H200"}
    table = report.markdown(results, {}, "")
    assert "| 1.5 (H200) |" in table and "(cpu)" not in table
