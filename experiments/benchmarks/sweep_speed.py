"""Sixteen sets of hyperparameters: one sweep against as many runs of the command.

Both are commands of their own, start-up, compilation and files included, one image of
twenty steps. Runs and sweep share a compilation cache, empty at first: the first run
with each ρ compiles for all of them, as at ρ = 0 its gradient is left out. Alternating
rounds, the least counts; the scores must agree.

    python -m experiments.benchmarks.sweep_speed --rounds=2
"""

import itertools
import json
import sys
import tempfile
from pathlib import Path

from absl import app, flags

from experiments import tiny_prior
from experiments.benchmarks.timing import command, header, spread
from mgdm_jax.sweeping import tables
from mgdm_jax.sweeping.tables import Row

ZETA, LAM, RHO = (0.25, 0.5, 1.0, 2.0), (1e-3, 1e-2), (0.0, 0.002)
"""RHO is what twenty steps bear: at 0.02 they make 0.03 dB of rounding."""

TOLERANCE = {"psnr_mean": 0.01, "ssim_mean": 1e-3}
"""Largest difference between a run and its row of the sweep."""

_ROUNDS = flags.DEFINE_integer("rounds", 1, "Alternating rounds; the least counts.")
_STEPS = flags.DEFINE_integer("steps", 20, "Steps of a sample.")
_CONFIG = flags.DEFINE_string("config", "configs/mri_brats.py", "What to reconstruct.")
_TINY = flags.DEFINE_bool("tiny", False, "Few sets, a tiny network: that it runs.")


def numbers_of(row: tuple[float, float, float]) -> list[str]:
    """Return the flags of one set for `run`."""
    names = ("zeta", "lam", "rho")
    return [f"--config.guidance.{k}={v}" for k, v in zip(names, row, strict=True)]


def one_round(folder: Path, cache: Path, words: list[str], n_sets: int) -> list[float]:
    """Return the seconds of n_sets runs, and of one sweep over the same sets."""
    zeta = ZETA[: n_sets // 4]
    runs = 0.0
    for index, row in enumerate(itertools.product(zeta, LAM, RHO)):
        runs += command("run", folder / f"{index}", cache, [*words, *numbers_of(row)])
    swept = [
        f"--config.sweep.{name}={','.join(map(str, values))},"
        for name, values in (("zeta", zeta), ("lam", LAM), ("rho", RHO))
    ]
    sweep = command("sweep", folder / "sweep", cache, [*words, *swept])
    for index, row in enumerate(tables.read(folder / "sweep" / "sweep.csv")):
        compare(row, json.loads((folder / f"{index}" / "metrics.json").read_text()))
    return [runs, sweep]


def compare(row: Row, facts: dict) -> None:
    """Leave unless a row has the scores of its run."""
    for name, most in TOLERANCE.items():
        if not abs(getattr(row, name) - facts[name]) <= most:
            sys.exit(f"{row} and its run differ: {name} is {facts[name]}.")


def main(argv: list[str]) -> None:
    """Print the seconds of both and their ratio."""
    del argv
    n_sets, n_steps = (4, 2) if _TINY.value else (16, _STEPS.value)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [
            *(f"--config={_CONFIG.value}", "--config.data.n_images=1"),
            f"--config.sampler.n_steps={n_steps}",
        ]
        if _TINY.value:
            words.append(f"--config.prior.path={tiny_prior.write(folder)}")
        rounds = [
            one_round(folder / f"round{i}", folder / "cache", words, n_sets)
            for i in range(_ROUNDS.value)
        ]
    seconds = list(map(list, zip(*rounds, strict=True)))
    (runs, sweep), spreads = map(min, seconds), map(spread, seconds)
    print(header())
    print(
        f"{n_sets} sets, 1 image, {n_steps} steps: runs={runs:.1f}s sweep={sweep:.1f}s "
        f"spread={max(spreads):.2f} ratio={runs / sweep:.2f}"
    )


if __name__ == "__main__":
    app.run(main)
