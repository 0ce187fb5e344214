"""Choose ζ, λ, ρ, η of every method on the validation subject, never on a test one.

The same procedure for each row, mean PSNR over evenly spaced slices, the volume's ends
left out: with a quarter of the steps, coordinate descent over the candidates of
`search`, twice, the largest doubled as long as it wins; then, with all steps, from
there or from η = 1, every coordinate climbs by its `STRIDE` while that gains; at last ζ
and ρ step back from a cliff. Rows of one family share what they tried; those of
thousands of evaluations have a quarter of the slices, as in the tables. Writes
`experiments/tuning/<config>-<level>….json`; `experiments.chosen` copies its numbers
into the package. Resumable: a row found there under the same settings is not searched
again, and of one that was broken off, nothing is asked twice. With `--again` a row that
is found is searched again, as when the search itself has changed: what it has tried is
not asked anew, and the better choice of the two is kept.

A shipped prior has met every training subject: the search wants the weights from before
that, of which the validation subject was held back.

    python -m experiments.tune --config configs/mri_brats.py --subject itk_mprage \
        --config.prior.path=experiments/weights/brain_t1_held_back.safetensors
"""

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import app, flags
from ml_collections import config_flags

from experiments import ascent, keeping, remembering, rows, scoring, search, validation
from mgdm_jax import devices, methods, reconstruction
from mgdm_jax.defaults import Config

COARSE = 4
STAGES = ((ascent.descend, COARSE), (ascent.climb, 1))
"""Both, and the share of the steps that they take, 1 in so many."""


def classical_evaluator(
    config: Config, chunk: int
) -> Callable[[list[dict]], np.ndarray]:
    """Return the same of a classical row, whose only number is its weight λ."""
    del chunk  # one after another
    from experiments import classical  # needs sigpy, which the other rows do not

    def psnr(weight: float) -> float:
        reference, images = classical.reconstruct(config, weight)
        return float(reconstruction.scores(reference, images).psnr[1:-1].mean())

    return lambda asked: np.array([psnr(row["lam"]) for row in asked])


_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to tune for.")
_SUBJECT = flags.DEFINE_string(
    "subject", None, "Validation subject of the sample (train split)."
)
_METHODS = flags.DEFINE_list("methods", list(search.SPACES), "Methods to tune.")
_SLICES = flags.DEFINE_integer("slices", 4, "Validation slices.")
_STEPS = flags.DEFINE_integer("steps", 100, "Network evaluations of one sample.")
_OUT = flags.DEFINE_string("out", "experiments/tuning", "Folder of what is found.")
_AGAIN = flags.DEFINE_bool("again", False, "Search rows that are found once more.")
_CHUNK = flags.DEFINE_integer("chunk", 1, "Candidates at once, at least one a device.")


def tune(
    config: Config, name: str, table: dict, settings: dict, chunk: int, path: Path
) -> dict:
    """Return what is known after the search of one row; `path` keeps it until then.

    Network evaluations are those of all that the choice rests on: what a row was spared
    by its family counts as its own. An earlier search of the row in the table, of the
    same settings, has its part in the choice.
    """
    known = table.get(name, {})
    known = known if known.get("settings") == settings else {}
    config = rows.configured(config, name)
    space, n_steps = search.SPACES[name], config.sampler.n_steps
    stages = {}
    most = search.MOST.get(name, ascent.ANY)
    best, psnr = search.start(name), -math.inf
    for stage, share in STAGES:
        config.sampler.n_steps = max(1, n_steps // share)
        tried = shared(table, name, stage.__name__, best, settings)
        is_classical = name in rows.CLASSICAL
        make = classical_evaluator if is_classical else validation.evaluator
        evaluate = remembering.remembering(
            make(config, chunk), path, settings, stage.__name__, chunk
        )
        if share == COARSE:
            for start in starts(table, name, best, settings):
                best = ascent.descend(space, evaluate, start, tried, most)
        else:
            found = [ascent.climb(space, evaluate, best, tried, most)]
            found += [known["chosen"]] if known else []
            best = max(found, key=lambda row: ascent.value_of(evaluate, tried, row))
            best = ascent.retreat(evaluate, best, tried)
            psnr = ascent.value_of(evaluate, tried, best)
        earlier = known["tried"][stage.__name__] if known else []
        stages[stage.__name__] = tried + [row for row in earlier if row not in tried]
    config.sampler.n_steps = n_steps
    return {
        "chosen": best,
        "psnr": psnr,
        "settings": settings,
        "network_evaluations": network_evaluations(config, name, stages),
        "seconds": remembering.seconds(path, settings),
        "tried": stages,
    }


def network_evaluations(config: Config, name: str, stages: dict) -> dict[str, int]:
    """Return what a row's answers cost in all, none of a classical one."""
    config = copy.deepcopy(config)
    cost, n_steps = np.zeros(2, int), config.sampler.n_steps
    for stage, share in STAGES if name not in rows.CLASSICAL else ():
        config.sampler.n_steps = max(1, n_steps // share)
        each = np.array([methods.nfe(config), methods.backward(config)])
        n_slices = config.data.n_images - validation.ENDS
        cost += n_slices * len(stages[stage.__name__]) * each
    return {"forward": int(cost[0]), "backward": int(cost[1])}


def starts(table: dict, name: str, usual: dict, settings: dict) -> list[dict]:
    """Return where the descent of a row begins: MGDM's at its ablation's ρ as well.

    From the best ζ alone every ρ diverges, ζ being as large as it can be.
    """
    known = table.get("mgdm_no_i", {})
    if name != "mgdm" or known.get("settings") != settings:
        return [usual]
    return [usual, known["chosen"]]


def shared(table: dict, name: str, stage: str, best: dict, settings: dict) -> list:
    """Return what rows of the same family have tried that is a case of this one."""
    fixed = [k for k in best if k not in search.SPACES[name]]
    found = [
        row
        for other in (search.FAMILY if name in search.FAMILY else ())
        if other != name and table.get(other, {}).get("settings") == settings
        for row in table[other]["tried"][stage]
        if all(row[k] == 0 for k in fixed)
    ]
    return [row for i, row in enumerate(found) if row not in found[:i]]


def slices(name: str, usual: int) -> int:
    """Return how many a row is tuned on: a long one on a quarter, at least one."""
    return max(1, usual // 4) if name in rows.LONG else usual


def circumstances(config: Config) -> dict:
    """Return what a search depends on, its space aside; a family shares it."""
    data = {
        "subject": config.data.subject,
        "slices": config.data.n_images - validation.ENDS,
    }
    data |= {"path": config.data.path, "ends": "left out"}
    kept = scoring.circumstances(config)
    kept["forms"] = {k: v for k, v in kept["forms"].items() if k not in search.NUMBERS}
    return data | kept


def main(argv: list[str]) -> None:
    """Tune the methods in turn, writing after each."""
    del argv
    config = validation.on(_CONFIG.value, _SUBJECT.value, _SLICES.value)
    config.sampler.n_steps = _STEPS.value
    path = Path(_OUT.value) / f"{rows.level_name(config)}.json"
    table = keeping.read(path)
    chunk = devices.padded(_CHUNK.value, devices.mesh())
    for name in rows.applicable(config, _METHODS.value):
        config.data.n_images = slices(name, _SLICES.value) + validation.ENDS
        settings = circumstances(rows.configured(config, name))
        space = {k: list(v) for k, v in search.SPACES[name].items()}
        known = table.get(name, {})
        same = (known.get("settings"), known.get("space")) == (settings, space)
        if _AGAIN.value or not same:
            aside = path.with_name(f"{path.stem}-{name}.partial.json")
            if known.get("settings") == settings:
                remembering.recall(aside, known)
            found = tune(config, name, table, settings, chunk, aside)
            table = keeping.add(path, name, found | {"space": space})
            aside.unlink(missing_ok=True)
        found = table[name]
        summary = f"{found['psnr']:.2f} dB, {found['seconds']} s"
        print(name, found["chosen"], summary, flush=True)


if __name__ == "__main__":
    app.run(main)
