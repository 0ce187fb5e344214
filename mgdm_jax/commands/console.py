"""What a long command tells: progress and tables to people, lines of JSON to programs.

With `--log-format=json` stdout holds one object a line and nothing else:
`{"event": "start" | "progress" | "result", …}`; `progress` counts `done` of `total`.
`--quiet` leaves out progress, and of the result all but where it was written.
"""

import dataclasses
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from absl import flags
from tqdm import tqdm

from mgdm_jax.storage import strict_json


@dataclasses.dataclass(frozen=True)
class Console:
    """How a command talks.

    Attributes:
      quiet: no progress, and no more of a result than where it is.
      as_json: lines of JSON on stdout, instead of text there and a bar on stderr.
    """

    quiet: bool = False
    as_json: bool = False

    def event(
        self, name: str, facts: Mapping[str, Any], text: str = "", brief: str = ""
    ) -> None:
        """Tell what happened.

        Args:
          name: "start", "progress" or "result".
          facts: for programs.
          text: the same for people.
          brief: what of it is told in spite of `quiet`.
        """
        if self.as_json:
            sys.stdout.write(strict_json.dumps({"event": name, **facts}) + "\n")
        else:
            sys.stdout.write(brief if self.quiet else text)
        sys.stdout.flush()  # a reader at the end of a pipe waits for the line

    def progress(
        self, total: int, unit: str, label: str = "", *, done: int = 0, every: float = 0
    ) -> "Progress":
        """Start to count.

        Args:
          total: of what is to be done.
          unit: what is counted.
          label: in front of the bar.
          done: before.
          every: seconds between two looks of the bar.
        """
        bar = tqdm(
            total=total,
            initial=done,
            unit=unit,
            desc=label or None,
            mininterval=max(every, 0.1),
            disable=self.quiet or self.as_json,
        )
        return Progress(self, bar, unit, total, done)


@dataclasses.dataclass
class Progress:
    """A count on its way to a total."""

    console: Console
    bar: tqdm
    unit: str
    total: int
    done: int

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *reason: object) -> None:
        self.bar.close()

    def update(self, n: int = 1) -> None:
        """Count n more."""
        self.done += n
        self.bar.update(n)

    def advance(self, n: int) -> None:
        """Count n more and tell."""
        self.update(n)
        self.tell({})

    def tell(self, facts: Mapping[str, Any], note: str = "") -> None:
        """Tell how far it is: a line of JSON with the facts, the note beside a bar."""
        if note:
            self.bar.set_postfix_str(note)
        if self.console.as_json and not self.console.quiet:
            count = {"done": self.done, "total": self.total, "unit": self.unit}
            self.console.event("progress", count | dict(facts))


TALKATIVE = Console()
"""Text and a bar."""

SILENT = Console(quiet=True)
"""Of a process whose leader tells."""


def define_flags() -> Callable[[], Console]:
    """Define `--quiet` and `--log-format`; return what makes a console of them."""
    quiet = flags.DEFINE_bool(
        "quiet", False, "No progress and no table; only where the result is."
    )
    form = flags.DEFINE_enum(
        "log_format",
        "text",
        ["text", "json"],
        "json: start, progress and result as lines of JSON on stdout.",
    )

    def talking() -> Console:
        if quiet.value:
            logging.getLogger().setLevel(logging.WARNING)
        return Console(quiet.value, form.value == "json")

    return talking
