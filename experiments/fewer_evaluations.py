"""PSNR over network evaluations: time grids, second-order updates, late starts.

On the validation subject, so that a default may be chosen from it: MGDM with the
numbers of its configuration but for ζ and η, of which each cell takes the best of a
few, as fewer or less noisy steps ask for others. Resumable: a cell that is kept under
the same settings is not run again.

    python -m experiments.fewer_evaluations --config configs/mri_brats.py \
        --subject itk_mprage \
        --config.prior.path=experiments/weights/brain_t1_held_back.safetensors
"""

import copy
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from experiments import keeping, markdown, scoring, validation
from mgdm_jax import hyperparameters, sweeps
from mgdm_jax.defaults import Config

VARIANTS = {
    "as configured": {},
    "linspace": {"time_grid": "linspace"},
    "quadratic": {"time_grid": "quadratic"},
    "log-SNR": {"time_grid": "log_snr"},
    "second order": {"order": 2},
    "quadratic + second order": {"time_grid": "quadratic", "order": 2},
    "log-SNR + second order": {"time_grid": "log_snr", "order": 2},
    "from T/2": {"start": 0.5},
    "from T/4": {"start": 0.25},
}
"""Row of the table -> fields of `config.sampler` that it changes."""

_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to sample.")
_SUBJECT = flags.DEFINE_string("subject", None, "Validation subject.", required=True)
_STEPS = flags.DEFINE_list("nfe", ["10", "20", "50", "100"], "Columns of the table.")
_FACTORS = flags.DEFINE_list(
    "factors", ["1", "3"], "Candidates of zeta, in units of the chosen."
)
_ETAS = flags.DEFINE_list("etas", ["0.3", "1"], "Candidates of eta.")
_ROWS = flags.DEFINE_list("rows", list(VARIANTS), "Rows to run.")
_SLICES = flags.DEFINE_integer("slices", 2, "Validation slices.")
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of the table.")


def candidates(config: Config) -> list[sweeps.Numbers]:
    """Return the chosen numbers with every ζ and η asked for."""
    chosen = sweeps.Numbers(*map(float, hyperparameters.resolve(config)))
    zetas = [chosen.zeta * float(factor) for factor in _FACTORS.value]
    grid = {"zeta": zetas, "lam": [chosen.lam], "rho": [chosen.rho]}
    return sweeps.combinations(grid | {"eta": [float(eta) for eta in _ETAS.value]})


def cell(config: Config) -> dict:
    """Return the best candidate's mean PSNR, ζ and η."""
    evaluate = validation.evaluator(config, 1)
    found = {row: float(evaluate([row._asdict()])[0]) for row in candidates(config)}
    best = max(found, key=lambda numbers: found[numbers])
    return {"psnr": found[best], "zeta": best.zeta, "eta": best.eta}


def table(config: Config, kept: Path) -> str:
    """Return the table as Markdown, computing the cells that are not kept."""
    known = keeping.read(kept)
    lines = []
    for name in _ROWS.value:
        row = [name]
        for n_steps in map(int, _STEPS.value):
            made = copy.deepcopy(config)
            made.sampler.update(VARIANTS[name] | {"n_steps": n_steps})
            label, wanted = f"{name}, {n_steps}", _settings(made)
            if known.get(label, {}).get("settings") != wanted:
                found = cell(made) | {"settings": wanted}
                known = keeping.add(kept, label, found)
            found = known[label]
            row.append(f"{found['psnr']:.2f} ({found['zeta']:.2g}, {found['eta']:g})")
            print(label, row[-1], flush=True)
        lines.append(row)
    return markdown.table(["", *_STEPS.value], lines)


def _settings(config: Config) -> dict:
    asked = {"factors": _FACTORS.value, "etas": _ETAS.value}
    return scoring.settings(config) | asked


def main(argv: list[str]) -> None:
    """Print and write the table."""
    del argv
    config = validation.on(_CONFIG.value, _SUBJECT.value, _SLICES.value)
    stem = Path(_OUT.value) / f"fewer_evaluations-{config.name}"
    text = table(config, stem.with_suffix(".json"))
    stem.with_suffix(".md").write_text(text + "\n")
    print(f"PSNR / dB (zeta, eta) at so many evaluations\n{text}", flush=True)


if __name__ == "__main__":
    app.run(main)
