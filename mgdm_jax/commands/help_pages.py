"""Help of a command: its usage, its examples, its own flags, and nobody else's.

The first line of a command's docstring is ``What it does: `usage`.`` and its indented
lines are the examples. absl's own help lists the flags of every module imported, as
`--helpfull` still does.
"""

import sys
import textwrap
from collections.abc import Iterator, Sequence
from types import ModuleType

from absl import flags

WORDS = ("--help", "-help", "-h", "-?", "--helpshort")

METAVARIABLES = {"int": "N", "float": "X", "config object": "CONFIG"}
"""absl's type of a flag -> what stands for its value."""

WIDTH, COLUMN = 88, 28


def asked(words: Sequence[str]) -> bool:
    """Return whether help is among the words of a command."""
    return any(word in WORDS for word in words)


def page(module: ModuleType) -> str:
    """Return the help of a command, whose flags are defined."""
    name = module.__spec__.name if module.__spec__ else module.__name__
    called = called_as(module)
    text = (module.__doc__ or "").replace(f"python -m {name}", called)
    title, _, rest = text.partition("\n")
    does, _, usage = title.removesuffix(".").partition(": `")
    examples = [line for line in rest.splitlines() if line.startswith("    ")]
    told = [f"usage: {usage.removesuffix('`') or f'{called} [flags]'}", "", f"{does}."]
    if examples:
        told += ["", "examples:", *(line[2:] for line in examples)]
    return "\n".join([*told, "", "flags:", *_flag_lines()]) + "\n"


def called_as(module: ModuleType) -> str:
    """Return how the command was started: by `python -m`, or by the console script."""
    if module.__name__ == "__main__" and module.__spec__:
        return f"python -m {module.__spec__.name}"
    return f"mgdm-jax {module.__name__.rpartition('.')[2]}"


def _flag_lines() -> Iterator[str]:
    """Yield the flags that modules of ours define, in their order."""
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if not module.startswith("mgdm_jax.") and module != sys.argv[0]:
            continue
        for flag in defined:
            yield from lines(flag)
    yield from _wrapped("--helpfull", "These, and those of the libraries.")


def lines(flag: flags.Flag) -> list[str]:
    """Return a flag as one writes it, its values, what it is for and its default."""
    name = flag.name.replace("_", "-")
    if flag.boolean:
        return _wrapped(f"--{'[no]' if flag.default else ''}{name}", flag.help or "")
    kind = flag.parser.flag_type() if flag.parser else ""
    values = "|".join(getattr(flag.parser, "enum_values", ()))
    text = (flag.help or "").removeprefix(f"<{values}>: ")  # absl's
    value = values or METAVARIABLES.get(kind, name.rpartition("-")[2].upper())
    if flag.default is None:
        return _wrapped(f"--{name}={value}", text)
    default = flag.default
    shown = ",".join(default) if isinstance(default, list) else default
    return _wrapped(f"--{name}={value}", f"{text} [{shown}]")


def _wrapped(name: str, text: str) -> list[str]:
    """Return a flag and what it is for, in two columns."""
    broken = textwrap.wrap(text, WIDTH - COLUMN, break_on_hyphens=False)
    indent = " " * COLUMN
    first = f"  {name}"
    head = [f"{first:{COLUMN}}{broken[0]}"] if len(first) < COLUMN - 1 else [first]
    rest = broken[1:] if len(first) < COLUMN - 1 else broken
    return [*head, *(indent + line for line in rest)]
