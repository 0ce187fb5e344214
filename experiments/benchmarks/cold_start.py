"""Seconds from the prompt to the first image: with an empty cache, and with a full one.

The command itself, one image of the embedded sample, compiled programs kept in the
folder of MGDM_JAX_CACHE. A run of the same once more shows what the cache saves; the
steps, the same in both, are few, so that they do not hide it.

    python -m experiments.benchmarks.cold_start --rounds=3
"""

import tempfile
from pathlib import Path

from absl import app, flags

from experiments import tiny_prior
from experiments.benchmarks.timing import command, header, spread

_ROUNDS = flags.DEFINE_integer("rounds", 2, "Empty caches; the least counts.")
_STEPS = flags.DEFINE_integer("steps", 20, "Steps of the sample.")
_CONFIGS = flags.DEFINE_list(
    "configs", ["configs/mri_brats.py", "configs/ct_lidc.py"], "What to reconstruct."
)
_TINY = flags.DEFINE_bool("tiny", False, "A tiny network: checks that it runs.")


def both(folder: Path, words: list[str]) -> list[float]:
    """Return seconds of the first run and of the second, their cache empty at first."""
    return [
        command("run", folder / name, folder / "cache", words)
        for name in ("first", "second")
    ]


def main(argv: list[str]) -> None:
    """Print one line a configuration."""
    del argv
    print(header())
    for config in _CONFIGS.value:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            words = [f"--config={config}", "--config.data.n_images=1"]
            words.append(f"--config.sampler.n_steps={_STEPS.value}")
            if _TINY.value:
                words.append(f"--config.prior.path={tiny_prior.write(folder)}")
            rounds = [both(folder / f"{i}", words) for i in range(_ROUNDS.value)]
        seconds = list(map(list, zip(*rounds, strict=True)))
        (first, second), spreads = map(min, seconds), map(spread, seconds)
        print(
            f"{config}, {_STEPS.value} steps: first={first:.1f}s second={second:.1f}s "
            f"spread={max(spreads):.2f} ratio={second / first:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
