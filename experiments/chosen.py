"""Write into mgdm_jax/tuned/ what the searches in experiments/tuning chose.

Numbers that agree to two digits stay as they are, so that nothing that
was computed with them is stale.

    python -m experiments.chosen
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import app
from ml_collections import ConfigDict

from experiments import agenda, keeping, rows, search
from mgdm_jax import hyperparameters, tuned
from mgdm_jax.defaults import Config
from mgdm_jax.storage import aside

FOLDER = Path("experiments/tuning")
TABLES = {"mri_real": "MRI_REAL", "mri_complex": "MRI_COMPLEX", "ct": "CT"}
"""`config.task.kind` -> the constant of `tuned`."""

AGREES = 0.02


class Choice(NamedTuple):
    """What a search found: where it belongs in `tuned`, and ζ, λ, ρ, η."""

    table: str
    level: str
    row: str
    numbers: tuple[float, ...]

    def is_known(self) -> bool:
        """Return whether `tuned` has these numbers, but for their rounding."""
        known = getattr(tuned, self.table).get(self.level, {}).get(self.row)
        return known is not None and all(
            abs(a - b) <= AGREES * abs(a)
            for a, b in zip(self.numbers, known, strict=True)
        )


def choices(folder: Path) -> Iterator[Choice]:
    """Yield the choice of every search of the agenda that is kept in a folder."""
    for kept in agenda.TASKS:
        stem = rows.level_name(kept.configured())
        for row, found in keeping.read(folder / f"{stem}.json").items():
            task: Config = ConfigDict(found["settings"]["task"])
            level = task.n_views if task.kind == "ct" else task.acceleration
            noise = hyperparameters.NOISY if hyperparameters.is_noisy(task) else ""
            numbers = tuple(float(found["chosen"][name]) for name in search.NUMBERS)
            yield Choice(TABLES[task.kind], f"{level:g}{noise}", row, numbers)


def written(text: str, choice: Choice) -> str:
    """Return the text of its table's module with one choice in it.

    Raises:
      ValueError: if the level is not there to be written to.
    """
    line = f'        "{choice.row}": ({", ".join(map(printed, choice.numbers))}),\n'
    begin, table, end = re.split(rf"(?ms)(^{choice.table} = .*?^}}$)", text)
    before, level, after = table.partition(f'\n    "{choice.level}": {{\n')
    if not level:
        raise ValueError(f"tuned.{choice.table} has no level {choice.level}; add it.")
    body, rest = after.split("    },\n", 1)
    changed, n = re.subn(rf'^ *"{choice.row}": .*\n', line, body, flags=re.MULTILINE)
    made = changed if n else body + line
    return f"{begin}{before}{level}{made}    }},\n{rest}{end}"


def printed(value: float) -> str:
    """Return a number with three digits, as Python reads it."""
    rounded = float(f"{value:.3g}")
    if not 0 < rounded < 0.01:
        return repr(rounded)
    digits, exponent = f"{rounded:.2e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def main(argv: list[str]) -> None:
    """Write what is new, and print it."""
    del argv
    for choice in choices(FOLDER):
        if not choice.is_known():
            path = Path(tuned.__file__).with_name(f"{choice.table.lower()}.py")
            aside.write_text(path, written(path.read_text(), choice))
            print(*choice, flush=True)


if __name__ == "__main__":
    app.run(main)
