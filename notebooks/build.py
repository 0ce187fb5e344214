"""Write the notebooks of their scripts: `python notebooks/build.py`.

A script has the cells of one notebook in jupytext's percent format. `first_cells.py`,
the badge and the installation, go ahead of each; REPOSITORY in them is what
`mkdocs.yml` says, NOTEBOOK the script's name.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
import yaml

FOLDER = Path(__file__).parent
NAMES = (
    "quickstart",
    "your_own_kspace",
    "sweep_with_vmap_on_tpu",
    "uncertainty_and_hallucination",
)


def repository() -> str:
    """Return owner/name on GitHub, as `mkdocs.yml` has it."""
    text = (FOLDER.parent / "mkdocs.yml").read_text()
    return yaml.safe_load(text)["extra"]["repository"]


def script(name: str) -> str:
    """Return one notebook's cells as a script, the first cells included."""
    first, rest = (
        (FOLDER / f"{stem}.py").read_text() for stem in ("first_cells", name)
    )
    first = first.replace("REPOSITORY", repository()).replace("NOTEBOOK", name)
    return f"{first}\n{rest}"


def notebook(name: str) -> str:
    """Return the notebook as JSON, without outputs, the same for the same script."""
    made = jupytext.reads(script(name), fmt="py:percent")
    made.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"  # jupytext draws them
        cell.metadata = {}
    nbformat.validate(made)
    return nbformat.writes(made, version=4) + "\n"


def main() -> None:
    """Write all of them."""
    for name in NAMES:
        path = FOLDER / f"{name}.ipynb"
        path.write_text(notebook(name))
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
