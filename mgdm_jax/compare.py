"""Make one page of finished runs: `python -m mgdm_jax.compare RUN_A RUN_B … [flags]`.

Runs are workdirs of `mgdm_jax.run` on the same data, mask, noise and seed; differences
are to the first of them, image by image. Of one run it makes `report.html` anew.

    python -m mgdm_jax.compare runs/mgdm runs/ddnm runs/dps --out comparison.html
    python -m mgdm_jax.compare runs/mgdm
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from mgdm_jax.commands import launch
from mgdm_jax.report import finished, page
from mgdm_jax.storage import aside


def compare(folders: Sequence[Path], out: Path) -> None:
    """Write the page of one run, or of several side by side.

    Args:
      folders: workdirs of finished runs.
      out: file to write; replaced if it exists.

    Raises:
      ValueError: with one line, if there is no run, runs are no pair, or the page
        cannot be written.
    """
    runs = [finished.read(folder) for folder in folders]
    aside.check(out)
    page.write(runs, out)


def target(folders: Sequence[Path], out: str | None, overwrite: bool) -> Path:
    """Return what to write: of one run its report, unless another file is named.

    Raises:
      ValueError: if no file is named for several runs, it exists, or is no .html.
    """
    if out is None and len(folders) == 1:
        return folders[0] / page.REPORT
    if out is None:
        raise ValueError("several runs need a file to write; give --out.")
    path = Path(out)
    if path.suffix != ".html" or path.is_dir():
        raise ValueError(f"--out must be a file that ends in .html, got {out}.")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists; give another --out, or --overwrite.")
    return path


def cli() -> None:
    """Define the flags and compare; here, so that importing this defines none."""
    out = flags.DEFINE_string(
        "out", None, "What to write; default of one run: RUN/report.html."
    )
    overwrite = flags.DEFINE_bool("overwrite", False, "Replace an existing file.")

    def main(words: list[str]) -> None:
        folders = [Path(word) for word in words]
        path = target(folders, out.value, overwrite.value)
        compare(folders, path)
        sys.stdout.write(f"wrote {path}\n")

    launch.start(main, n_words=None, words="workdirs of finished runs")


if __name__ == "__main__":
    cli()
