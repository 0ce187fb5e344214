"""Every method on the test subject: one table, paired, with bootstrap intervals.

Each method runs with the numbers its config holds, chosen on the validation subject by
`experiments.tune`. Intervals are over slices of one person. Resumable: a method whose
results lie in the folder is not run again.

    python -m experiments.compare --config configs/mri_brats.py --levels=4,8
"""

import csv
from pathlib import Path

import jax
import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags

from experiments import rows
from mgdm_jax import factory, hyperparameters, metrics, reconstruction
from mgdm_jax.defaults import Config

_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to compare on.")
_LEVELS = flags.DEFINE_list("levels", None, "Accelerations, or numbers of views.")
_ROWS = flags.DEFINE_list("rows", None, "Rows to run; default: all that apply.")
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of the results.")


def with_level(config: Config, level: float) -> Config:
    """Return the configuration at one acceleration or number of views."""
    config = ConfigDict(config)
    if config.task.kind == "ct":
        config.task.n_views = int(level)
    else:
        config.task.acceleration = float(level)
    return config


def psnr_ssim(config: Config) -> np.ndarray:
    """Return PSNR, SSIM and the data residual [3, n] of one configuration."""
    guidance = hyperparameters.resolve(config)
    if config.method in rows.CLASSICAL:
        return classical_scores(config, float(guidance.lam))
    prior, measured, sampler = factory.build(config)
    key = jax.random.key(config.sampler.seed)
    size = config.sampler.batch_size
    done = reconstruction.reconstruct(key, sampler, prior, measured, guidance, size)
    assert measured.reference is not None
    ours = reconstruction.scores(measured.reference, done.images)
    return np.stack([ours.psnr, ours.ssim, done.data_residual])


def classical_scores(config: Config, weight: float) -> np.ndarray:
    """Return the same of a classical row; its residual is not taken."""
    from experiments import classical  # needs sigpy, which the other rows do not

    reference, images = classical.reconstruct(config, weight)
    ours = reconstruction.scores(reference, images)
    return np.stack([ours.psnr, ours.ssim, np.full(len(images), np.nan)])


def baseline(config: Config) -> np.ndarray:
    """Return the same of the zero-filled or FBP images."""
    measured = factory.build(config).measurements
    assert measured.reference is not None
    problems, axes = measured.problem(np.arange(len(measured))), measured.axes
    show = jax.vmap(lambda p: p.operator.baseline(p.measurement), in_axes=(axes,))
    images = np.asarray(jax.jit(show)(problems))
    scores = reconstruction.scores(measured.reference, images)
    return np.stack([scores.psnr, scores.ssim, np.full(len(images), np.nan)])


def line(name: str, values: np.ndarray, ours: np.ndarray) -> str:
    """Return a Markdown row: mean ± std, and MGDM's lead with its interval."""
    psnr, ssim, _ = values
    lead = ours[0] - psnr
    text = f"| {name} | {psnr.mean():.2f} ± {psnr.std():.2f} "
    text += f"| {ssim.mean():.4f} ± {ssim.std():.4f} "
    if not lead.any():
        return text + "| |"
    low, high = metrics.bootstrap_interval(lead, seed=0)
    return text + f"| {lead.mean():+.2f} [{low:+.2f}, {high:+.2f}] |"


def compare(config: Config, folder: Path) -> str:
    """Run what is missing at one level and return its Markdown table."""
    results = {"baseline": baseline(config)}
    for name in rows.applicable(config, _ROWS.value or list(rows.VARIANTS)):
        path = folder / f"{rows.level_name(config)}-{name}.csv"
        if not path.exists():
            values = psnr_ssim(rows.configured(config, name))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="") as file:
                csv.writer(file).writerows(values.T.tolist())
        results[name] = np.loadtxt(path, delimiter=",", ndmin=2).T
        print(name, f"{results[name][0].mean():.2f} dB", flush=True)
    ours = results["mgdm"]
    header = (
        "| method | PSNR / dB | SSIM | MGDM's lead / dB [95 %] |\n|---|---|---|---|"
    )
    body = "\n".join(line(name, values, ours) for name, values in results.items())
    return f"{header}\n{body}"


def main(argv: list[str]) -> None:
    """Print and write one table a level."""
    del argv
    folder = Path(_OUT.value)
    for level in map(float, _LEVELS.value or ()):
        config = with_level(_CONFIG.value, level)
        table = compare(config, folder)
        stem = rows.level_name(config)
        (folder / f"{stem}.md").write_text(table + "\n")
        print(f"\n{stem}\n{table}\n", flush=True)


if __name__ == "__main__":
    app.run(main)
