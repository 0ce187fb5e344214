"""Folders that a run does not write to."""

import pytest
from test_run import smoke

from mgdm_jax import run


def test_nobody_else_s_files_are_replaced(tmp_path):
    """A training's workdir holds its own config.json and metrics.csv."""
    config = smoke("mri_brats", tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/metrics.csv").write_text("step,loss")
    with pytest.raises(ValueError, match=r"holds a metrics\.csv .* another --workdir"):
        run.run(config, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["metrics.csv"]


def test_a_finished_run_is_not_overwritten(tmp_path):
    config = smoke("mri_brats", tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/metrics.json").write_text("{}")
    with pytest.raises(ValueError, match="finished run"):
        run.run(config, tmp_path / "out")
