"""What `reconstruct` found of a scan, as the report of it wants it."""

import json
from pathlib import Path

import numpy as np

from mgdm_jax import (
    environment,
    figures,
    hyperparameters,
    methods,
    reconstruction,
    results,
)
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.posterior import Posterior
from mgdm_jax.reconstructing import outputs
from mgdm_jax.report import page
from mgdm_jax.report.finished import Finished
from mgdm_jax.samplers import loop
from mgdm_jax.storage import aside


def target(path: Path, overwrite: bool) -> Path:
    """Return where the report of an output goes: beside it, `scan.report.html`.

    Args:
      path: of `outputs.check_target`.
      overwrite: whether it may be there.

    Raises:
      ValueError: if it is there, or cannot be written.
    """
    stem = path.name.removesuffix(outputs.form(path))
    report = path.with_name(f"{stem}.{page.REPORT}")
    if report.exists() and not overwrite:
        raise ValueError(
            f"{report} exists; give another --out, or --overwrite, or --noreport."
        )
    aside.check(report)
    return report


def finished(
    found: Posterior, scan: Measurements, config: Config, name: str
) -> Finished:
    """Return the mean of the samples as a finished run, without a reference.

    Args:
      found: samples and their summaries.
      scan: what was measured.
      config: how it was reconstructed.
      name: of the file that was written.
    """
    n_samples, n = found.diverged.shape
    method = config.method
    x0_hat, steps = found.first.x0_hat, found.first.info.data_residual
    facts = {
        "method": method if n_samples == 1 else f"{method}, mean of {n_samples}",
        "n_images": n,
        "n_samples": n_samples,
        "nfe": methods.nfe(config),
        "data_residual_mean": float(found.data_residual.mean()),
        "n_diverged": int(found.diverged.all(0).sum()),
        "n_diverged_samples": int(found.diverged.sum()),
        "image_range": results.image_range(found.mean),
        "numbers": hyperparameters.told(config),
    }
    return Finished(
        name=name,
        facts=facts | scan.facts,
        config=json.loads(config.to_json_best_effort()),
        environment=environment.facts(),
        baseline_name=results.BASELINES[config.task.kind],
        images={
            "reconstruction": figures.magnitude(found.mean),
            "baseline": figures.magnitude(found.baseline),
        },
        maps={"null_space": found.null_space}
        | ({"std": found.std} if n_samples > 1 else {}),
        scores={},
        data_residual=found.data_residual.mean(0),
        diverged=np.asarray(found.diverged.all(0)),
        steps=np.asarray(steps),
        strip=None if x0_hat is None else figures.magnitude(x0_hat),
        strip_steps=loop.kept_steps(steps.shape[1], results.N_KEPT),
        strip_image=reconstruction.watched(n),
    )
