"""What the scripts of the paper's tables share: ours beside theirs."""

import importlib
from collections.abc import Mapping
from pathlib import Path

from absl import app, flags

from experiments import report, rows, scoring
from mgdm_jax import hyperparameters
from mgdm_jax.defaults import Config
from mgdm_jax.storage import aside

N_IMAGES = flags.DEFINE_integer("n_images", 16, "Slices of the test subject.")
STEPS = flags.DEFINE_integer("steps", 100, "Times visited, but of the long rows.")
LONG_SLICES = flags.DEFINE_integer(
    "long_slices", rows.FEWER_SLICES, "Most slices of rows of thousands of evaluations."
)
DATA = flags.DEFINE_string("data", None, "Prepared images of yours; their test split.")
PRIOR = flags.DEFINE_string(
    "prior", None, "Prior to go with them, a .safetensors file."
)
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of the results.")


def folder() -> Path:
    """Return where results go; it exists."""
    path = Path(_OUT.value)
    path.mkdir(parents=True, exist_ok=True)
    return path


def configured(config_name: str) -> Config:
    """Return a configuration of `configs/` with what the flags say."""
    config = importlib.import_module(f"configs.{config_name}").get_config()
    config.data.n_images, config.sampler.n_steps = N_IMAGES.value, STEPS.value
    config.data.path = DATA.value
    config.prior.path = PRIOR.value or config.prior.path
    return config


def run(
    name: str,
    config_name: str,
    source: str,
    names: tuple[str, ...],
    paper: Mapping[int, Mapping[str, report.PaperRow]],
) -> None:
    """Define the flags, compute the rows at every level and write the table.

    The paper's numbers are quoted as such: other data, other priors, 1,000 images. Ours
    are slices of one person of the embedded sample.

    Args:
      name: of the table, for its files.
      config_name: of a file in `configs/`.
      source: the paper's data set, and its steps.
      names: rows of ours.
      paper: level -> row -> PSNR and SSIM as printed.
    """
    levels = flags.DEFINE_list("levels", list(map(str, paper)), "Levels to run.")

    def main(argv: list[str]) -> None:
        del argv
        config = configured(config_name)
        for level in map(int, levels.value):
            at_level = hyperparameters.with_level(config, level)
            results = scoring.collect(
                at_level, list(names), folder(), long_slices=LONG_SLICES.value
            )
            table = report.markdown(results, paper.get(level, {}), source)
            title = rows.level_name(at_level)
            write(folder() / f"{name}-{level}", title, results, table)

    app.run(main)


def write(stem: Path, title: str, results: scoring.Results, table: str) -> None:
    """Write a table as `stem`.md and .csv, and print it under its title."""
    aside.write_text(stem.with_name(f"{stem.name}.md"), table + "\n")
    report.write_csv(results, stem.with_name(f"{stem.name}.csv"))
    print(f"\n{title}\n{table}\n", flush=True)
