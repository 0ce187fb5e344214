"""Coverage of posterior samples against the truth: who knows what it does not know.

Several samples of every test slice by each method; of every pixel in the foreground,
whether the truth lies between the samples' order statistics. Writes a table and the
curves; a calibrated method lies on the diagonal.

    python -m experiments.calibration_curves --config configs/mri_brats.py
"""

import copy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from matplotlib import figure
from ml_collections import config_flags

from experiments import markdown, rows
from mgdm_jax import calibration, conventions, factory, hyperparameters, posterior
from mgdm_jax.calibration import Calibration
from mgdm_jax.defaults import Config

_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to sample for.")
_ROWS = flags.DEFINE_list("rows", ["mgdm", "dps", "ddnm", "pigdm"], "Rows to sample.")
_N_IMAGES = flags.DEFINE_integer("n_images", 4, "Slices of the test subject.")
_N_SAMPLES = flags.DEFINE_integer("n_samples", 9, "Samples of each slice.")
_STEPS = flags.DEFINE_integer("steps", 50, "Network evaluations of one sample.")
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of table and curves.")


def calibrate(config: Config, n_samples: int) -> Calibration:
    """Return what the samples of each slice say: arrays [n, …].

    Raises:
      ValueError: if a sample diverged: a blank one is no draw of anything.
    """
    prior, measured, sampler = factory.build(config)
    drawn = posterior.draw(
        jax.random.key(config.sampler.seed),
        n_samples,
        sampler,
        prior,
        measured,
        hyperparameters.resolve(config),
        config.sampler.batch_size,
    )
    if any(run.diverged.any() for run in drawn):
        raise ValueError(f"a sample of {config.method} diverged.")
    assert measured.reference is not None
    truth = _magnitude(jnp.asarray(measured.reference), 3)
    samples = _magnitude(jnp.stack([run.images for run in drawn]), 4)
    masks = jax.vmap(conventions.foreground)(truth)
    over_slices = jax.vmap(calibration.calibration, in_axes=(1, 0, 0))
    return jax.device_get(jax.jit(over_slices)(samples, truth, masks))


def _magnitude(images: jax.Array, ndim: int) -> jax.Array:
    return images if images.ndim == ndim else jnp.linalg.norm(images, axis=-1)


def table(found: dict[str, Calibration]) -> str:
    """Return the rows as Markdown, means over slices."""
    first = next(iter(found.values()))
    widest, middle = -1, int(np.argmin(np.abs(first.nominal[0] - 0.5)))
    heads = [f"coverage of {first.nominal[0, i]:.0%}" for i in (middle, widest)]
    names = ["method", *heads, "spread ÷ error", "correlation"]
    lines = []
    for name, row in found.items():
        cells = [f"{np.mean(row.coverage[:, i]):.0%}" for i in (middle, widest)]
        cells += [f"{np.mean(row.spread_to_error):.2f}"]
        lines.append([name, *cells, f"{np.mean(row.correlation):.2f}"])
    return markdown.table(names, lines)


def curves(found: dict[str, Calibration], title: str) -> figure.Figure:
    """Return coverage over nominal coverage, a line a method."""
    fig = figure.Figure((5, 4.6), layout="constrained")
    ax = fig.subplots()
    ax.plot([0, 1], [0, 1], color="0.6", label="calibrated")
    for name, row in found.items():
        ax.plot(row.nominal[0], row.coverage.mean(axis=0), "o-", label=name)
    ax.set(xlabel="nominal coverage", ylabel="coverage of the truth", title=title)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.grid(alpha=0.3)
    ax.legend()
    return fig


def main(argv: list[str]) -> None:
    """Print and write table and curves."""
    del argv
    config = copy.deepcopy(_CONFIG.value).unlock()
    config.data.n_images, config.sampler.n_steps = _N_IMAGES.value, _STEPS.value
    found = {
        name: calibrate(rows.configured(config, name), _N_SAMPLES.value)
        for name in rows.applicable(config, _ROWS.value)
    }
    folder, stem = Path(_OUT.value), f"calibration-{rows.level_name(config)}"
    folder.mkdir(parents=True, exist_ok=True)
    text = table(found)
    (folder / f"{stem}.md").write_text(text + "\n")
    curves(found, rows.level_name(config)).savefig(folder / f"{stem}.png", dpi=120)
    print(f"{stem}\n{text}", flush=True)


if __name__ == "__main__":
    app.run(main)
