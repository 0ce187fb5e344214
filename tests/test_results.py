"""What metrics.json says where numbers are not finite."""

import json
import subprocess
from pathlib import Path

import numpy as np

from mgdm_jax import defaults, environment, reconstruction, results
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import fourier
from mgdm_jax.types import StepInfo


def finished(reference, images):
    """Return a run that made these images."""
    n = len(reference)
    operator = fourier.masked_fourier(np.ones((16, 16)), (16, 16))
    found = Measurements(
        operator=operator,
        measurement=np.ones((n, 16, 16), np.complex64),
        noise_std=0.0,
        reference=reference,
        scale=np.ones(n, np.float32),
        region=None,
        facts={"data": "x", "simulated": "all"},
    )
    info = StepInfo(*[np.full((n, 2), np.nan, np.float32)] * len(StepInfo._fields))
    made = reconstruction.Reconstruction(
        images, images, np.zeros(n), np.zeros(n, bool), info
    )
    config = defaults.reconstruction()
    config.sampler.eta = config.guidance.zeta = config.guidance.lam = 0.0
    config.guidance.rho = 0.0
    return results.Run(config, found, made, seconds=1.0)


def test_blank_slices_of_the_reference_are_in_no_mean(tmp_path):
    rng = np.random.default_rng(0)
    reference = rng.random((3, 16, 16)).astype(np.float32)
    images = reference + 0.1 * rng.random(reference.shape).astype(np.float32)
    expected = results.summary(finished(reference[1:], images[1:]))
    reference[0] = 0
    facts = results.write(finished(reference, images), tmp_path)
    for name in ("psnr_mean", "psnr_std", "ssim_mean", "nmse_mean"):
        np.testing.assert_allclose(facts[name], expected[name], rtol=1e-6)
    assert np.isfinite(facts["psnr_mean"])


def test_what_is_not_finite_is_null(tmp_path):
    """Equal images: no error, and an infinite PSNR."""
    reference = np.random.default_rng(0).random((2, 16, 16)).astype(np.float32)
    facts = results.write(finished(reference, reference), tmp_path)
    assert facts["psnr_mean"] == np.inf
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["psnr_mean"] is None and written["ssim_mean"] == 1
    assert written["conventions"]["slice-max"]["psnr"] is None
    assert "inf" in results.table(facts)
    made = json.loads((tmp_path / "environment.json").read_text())
    assert made == environment.facts()


def test_the_environment_names_no_other_project_s_revision(tmp_path, monkeypatch):
    """In whose folder an environment may lie, ignored."""
    (tmp_path / "theirs.py").touch()
    (tmp_path / ".venv").mkdir()
    git = ["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e"]
    for words in (["init", "-q"], ["add", "theirs.py"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "theirs.py"))
    assert environment.facts()["git"]
    monkeypatch.setattr(environment, "__file__", str(tmp_path / ".venv/ours.py"))
    assert environment.facts()["git"] is None


def test_the_environment_names_the_revision():
    """As `git describe` does; none outside of any."""
    command = ["git", "-C", Path(results.__file__).parent, "rev-parse"]

    def commit(name):
        line = [*command, "--verify", "--quiet", f"{name}^{{commit}}"]
        return subprocess.run(line, capture_output=True, text=True).stdout

    told = environment.facts()["git"]
    assert commit("HEAD") == (commit(told.removesuffix("-dirty")) if told else "")
