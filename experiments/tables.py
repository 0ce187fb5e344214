"""What the scripts of the paper's tables share: ours beside theirs."""

import importlib
from collections.abc import Mapping
from pathlib import Path

from absl import app, flags

from experiments import rows, scoring

N_IMAGES = flags.DEFINE_integer("n_images", 16, "Slices of the test subject.")
STEPS = flags.DEFINE_integer("steps", 100, "Times visited, but of the long rows.")
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of the results.")


def folder() -> Path:
    """Return where results go; it exists."""
    path = Path(_OUT.value)
    path.mkdir(parents=True, exist_ok=True)
    return path


def run(
    name: str,
    config_name: str,
    source: str,
    names: tuple[str, ...],
    paper: Mapping[int, Mapping[str, scoring.PaperRow]],
) -> None:
    """Define the flags, compute the rows at every level and write the table.

    The paper's numbers are quoted as such: other data, other priors, 1,000 images. Ours
    are slices of one person of the embedded sample.

    Args:
      name: of the table, for its files.
      config_name: of a file in `configs/`.
      source: the paper's data set.
      names: rows of ours.
      paper: level -> row -> PSNR and SSIM as printed.
    """
    levels = flags.DEFINE_list("levels", list(map(str, paper)), "Levels to run.")

    def main(argv: list[str]) -> None:
        del argv
        config = importlib.import_module(f"configs.{config_name}").get_config()
        config.data.n_images, config.sampler.n_steps = N_IMAGES.value, STEPS.value
        for level in map(int, levels.value):
            at_level = scoring.with_level(config, level)
            results = scoring.collect(at_level, list(names), folder())
            table = scoring.markdown(results, paper[level], source)
            title = rows.level_name(at_level)
            write(folder() / f"{name}-{level}", title, results, table)

    app.run(main)


def write(stem: Path, title: str, results: scoring.Results, table: str) -> None:
    """Write a table as `stem`.md and .csv, and print it under its title."""
    stem.with_name(f"{stem.name}.md").write_text(table + "\n")
    scoring.write_csv(results, stem.with_name(f"{stem.name}.csv"))
    print(f"\n{title}\n{table}\n", flush=True)
