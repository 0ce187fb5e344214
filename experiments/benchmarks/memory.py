"""Memory of the compiled sampler: does it grow with the steps?

XLA's own account of MGDM's program for one image of the shipped architecture, MRI.
What a program returns of every step (three scalars) is told apart from what it works
in.

    python -m experiments.benchmarks.memory --steps=20,100,350
"""

from absl import app, flags

from experiments import markdown
from experiments.benchmarks import timing, untrained

_STEPS = flags.DEFINE_list("steps", ["20", "100", "350"], "Steps of the sampler.")
_TINY = flags.DEFINE_bool("tiny", False, "A tiny network: checks that it runs.")


def main(argv: list[str]) -> None:
    """Print one row a number of steps."""
    del argv
    prior = untrained.prior(tiny=_TINY.value)
    print(timing.header())
    print(markdown.head(["steps", "works in / MB", "returns / MB"]))
    for n_steps in map(int, _STEPS.value):
        work, output = untrained.account(prior, n_steps)
        sizes = (f"{work / 1e6:.3f}", f"{output / 1e6:.3f}")
        print(markdown.row([n_steps, *sizes]), flush=True)


if __name__ == "__main__":
    app.run(main)
