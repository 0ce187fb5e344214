"""What the scripts of the paper's tables share: ours beside theirs."""

import importlib
from collections.abc import Mapping
from pathlib import Path

from absl import app, flags

from experiments import rows, scoring

OUT = Path("experiments/results")


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
    n_images = flags.DEFINE_integer("n_images", 16, "Slices.")

    def main(argv: list[str]) -> None:
        del argv
        config = importlib.import_module(f"configs.{config_name}").get_config()
        config.data.n_images = n_images.value
        OUT.mkdir(parents=True, exist_ok=True)
        for level in map(int, levels.value):
            at_level = scoring.with_level(config, level)
            results = scoring.collect(at_level, list(names), OUT)
            table = scoring.markdown(results, paper[level], source)
            stem = f"{name}-{level}"
            (OUT / f"{stem}.md").write_text(table + "\n")
            scoring.write_csv(results, OUT / f"{stem}.csv")
            print(f"\n{rows.level_name(at_level)}\n{table}\n", flush=True)

    app.run(main)
