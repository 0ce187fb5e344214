"""ζ, λ, ρ, η by gradients through the sampler, against the search without them.

On the validation subject, from the same start: Adam on the numbers' logarithms (the
logit of η), the gradient of the mean PSNR taken through the whole scan, whose steps are
computed again on the way back; and `ascent`, coordinate by coordinate. Each until the
time is spent, compilation aside, or nothing is left to try. Prints what each has
reached by when.

    python -m experiments.gradient_tuning --config configs/mri_brats.py \
        --subject itk_mprage \
        --config.prior.path=experiments/weights/brain_t1_held_back.safetensors
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app, flags
from ml_collections import config_flags

from experiments import ascent, markdown, rows, search, validation
from mgdm_jax import factory, methods, metrics
from mgdm_jax.defaults import Config
from mgdm_jax.samplers import loop
from mgdm_jax.types import Array, Guidance

START = {"zeta": 0.5, "lam": 0.01, "rho": 0.005, "eta": 0.85}
"""Where both begin: within the candidates of `search`, no number 0."""

_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to tune for.")
_SUBJECT = flags.DEFINE_string("subject", None, "Validation subject.", required=True)
_SLICES = flags.DEFINE_integer("slices", 2, "Validation slices.")
_STEPS = flags.DEFINE_integer("steps", 20, "Network evaluations of one sample.")
_RATE = flags.DEFINE_float("rate", 0.2, "Adam's, of the logarithms.")
_SECONDS = flags.DEFINE_float("seconds", 600.0, "For each of the two.")
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of the table.")


class OutOfTimeError(Exception):
    """The time is over."""


class Ledger:
    """What one way has reached, and when: its clock starts after the first answer."""

    def __init__(self, name: str):
        self.name = name
        self.entries: list[tuple[float, float]] = []
        self._started = 0.0

    def note(self, numbers: dict[str, float], psnr: float) -> None:
        """Add an answer and tell of it.

        Raises:
          OutOfTimeError: if there is no time for another.
        """
        now = time.monotonic()
        if not self.entries:  # compilation was in it
            self._started = now
        seconds = now - self._started
        self.entries.append((seconds, psnr))
        told = ", ".join(f"{name} {value:.3g}" for name, value in numbers.items())
        print(f"{self.name} {seconds:.0f} s: {psnr:.2f} dB at {told}", flush=True)
        if seconds > _SECONDS.value:
            raise OutOfTimeError

    def reached(self, seconds: float) -> float:
        """Return the highest PSNR of the time up to then."""
        return max(psnr for when, psnr in self.entries if when <= seconds)


def numbers_of(free: Any) -> Guidance:
    """Return the numbers of unconstrained variables."""
    values = {name: jnp.exp(free[name]) for name in ("zeta", "lam", "rho")}
    return Guidance(**values, eta=jax.nn.sigmoid(free["eta"]))


def free_of(numbers: dict[str, float]) -> Any:
    """Return the unconstrained variables of numbers."""
    exact = {name: jnp.float32(value) for name, value in numbers.items()}
    free = {name: jnp.log(exact[name]) for name in ("zeta", "lam", "rho")}
    return free | {"eta": jax.scipy.special.logit(exact["eta"])}


def objective(config: Config) -> Callable[[Any], tuple]:
    """Return free variables -> (mean PSNR over the slices, its gradient), compiled."""
    prior, measured, _ = factory.build(config)
    loops = functools.partial(
        loop.sample, step=methods.make_step(config), rematerialise=True
    )
    sampler = factory.bind(prior, loops, prior.grid(config.sampler.n_steps))
    inner = measured.take(np.arange(1, len(measured) - 1))
    keys = jax.random.split(jax.random.key(config.sampler.seed), len(inner))
    problems = inner.problem(np.arange(len(inner)))
    references = jnp.asarray(inner.reference)

    def psnr(free, params, problems) -> Array:
        numbers = numbers_of(free)
        run = jax.vmap(sampler, in_axes=(0, None, inner.axes, None))
        images, _ = run(keys, params, problems, numbers)
        return jax.vmap(metrics.psnr)(references, images).mean()

    both = jax.jit(jax.value_and_grad(psnr))
    return lambda free: both(free, prior.params, problems)


def by_gradients(config: Config, ledger: Ledger) -> None:
    """Go uphill by Adam until the time is spent."""
    evaluate, adam = objective(config), optax.adam(_RATE.value)
    free = free_of(START)
    before, state = free, adam.init(free)
    while True:
        psnr, gradient = evaluate(free)
        numbers = numbers_of(free)._asdict()
        ledger.note({k: float(v) for k, v in numbers.items()}, float(psnr))
        if jnp.isfinite(jnp.stack(jax.tree.leaves((psnr, gradient)))).all():
            before, downhill = free, jax.tree.map(jnp.negative, gradient)
            updates, state = adam.update(downhill, state)
            free = optax.apply_updates(free, updates)
        else:  # half the way back, and slowly from there
            free = jax.tree.map(lambda a, b: (a + b) / 2, before, free)
            state = adam.init(free)


def by_candidates(config: Config, ledger: Ledger) -> None:
    """Go through the coordinates' candidates until the time is spent."""
    evaluate = validation.evaluator(config, 1)

    def noted(asked: list[dict]) -> np.ndarray:
        answers = []
        for row in asked:
            answers.append(float(evaluate([row])[0]))
            ledger.note(row, answers[-1])
        return np.array(answers)

    space, tried = search.SPACES["mgdm"], []
    best = ascent.attempt(noted, tried, START, "eta", (START["eta"],))
    best = ascent.descend(space, noted, best, tried)
    ascent.climb(space, noted, best, tried)


def main(argv: list[str]) -> None:
    """Print and write the table: PSNR reached over time."""
    del argv
    config = validation.on(_CONFIG.value, _SUBJECT.value, _SLICES.value)
    if config.method != "mgdm" or config.task.kind == "ct":
        sys.exit("error: gradients are those of mgdm on MRI; give such a --config.")
    config.sampler.n_steps = _STEPS.value
    ledgers = [Ledger("gradients"), Ledger("candidates")]
    for way, ledger in zip((by_gradients, by_candidates), ledgers, strict=True):
        with contextlib.suppress(OutOfTimeError):
            way(config, ledger)
    shares = [_SECONDS.value * share for share in (0.0, 0.125, 0.25, 0.5, 1.0)]
    lines = [
        [
            ledger.name,
            len(ledger.entries),
            *(f"{ledger.reached(s):.2f}" for s in shares),
        ]
        for ledger in ledgers
    ]
    text = markdown.table(["by", "answers", *(f"{s:.0f} s" for s in shares)], lines)
    folder = Path(_OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"gradient_tuning-{rows.level_name(config)}"
    (folder / f"{stem}.md").write_text(text + "\n")
    print(f"{stem}, PSNR / dB on {_SUBJECT.value}\n{text}", flush=True)


if __name__ == "__main__":
    app.run(main)
