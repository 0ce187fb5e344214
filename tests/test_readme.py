"""The README's Python runs, and is as short as it says."""

import re
from pathlib import Path

import pytest
import tiny

from mgdm_jax import priors

README = Path(__file__).parents[1] / "README.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Put a prior of a few weights in the place of the shipped one."""
    path = tiny.write_prior(tmp_path)
    monkeypatch.setattr(priors, "locate", lambda _: Path(path))


def test_reconstruction_and_sweep(shipped):
    reconstruction, sweep = blocks()[:2]
    assert len(reconstruction.splitlines()) <= 15
    assert len(sweep.splitlines()) <= 10
    scope: dict = {}
    exec(reconstruction.replace("n_steps=50", "n_steps=2"), scope)
    assert scope["x"].shape == (120, 120)
    exec(sweep, scope)
    assert scope["psnr"].shape == (8,)
