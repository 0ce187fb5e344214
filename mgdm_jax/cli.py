"""The console script: `mgdm-jax run …` is `python -m mgdm_jax.run …`.

Commands are imported when they are called: the list of them is there at once.
"""

import difflib
import importlib
import sys

from mgdm_jax import __version__

COMMANDS = {
    "run": "Reconstruct what a configuration names, with metrics and a panel.",
    "sweep": "Try many numbers of a configuration, in one program.",
    "reconstruct": "Reconstruct a scan of yours from separate arrays.",
    "compare": "Make one page of a run, or of several side by side.",
    "train": "Train a diffusion prior.",
    "prepare": "Make one file of slices of a data set.",
    "convert": "Make a prior of a published checkpoint.",
    "info": "Show versions, devices, shipped priors and the cache.",
}
"""Module with a function `cli` -> what it does."""


def main() -> None:
    """Run the command that the first word names."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h", "help"):
        sys.stdout.write(overview())
    elif name == "--version":
        sys.stdout.write(f"mgdm-jax {__version__}\n")
    elif name in COMMANDS:
        # absl and ml_collections read what is there.
        sys.argv = [sys.argv[0], *sys.argv[2:]]
        importlib.import_module(f"mgdm_jax.{name}").cli()
    else:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else "see mgdm-jax --help."
        sys.stderr.write(f"error: no command {name}; {hint}\n")
        sys.exit(2)


def overview() -> str:
    """Return the commands, a line each."""
    lines = [f"  {name:12}{what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: mgdm-jax COMMAND [flags]",
            "",
            *lines,
            "",
            "`mgdm-jax COMMAND --help` shows its flags, with examples; to begin with:",
            "  mgdm-jax run --config mri_brats:demo",
            "",
        ]
    )


if __name__ == "__main__":
    main()
