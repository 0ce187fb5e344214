"""What choosing ζ, λ, ρ without a reference costs, in dB, against the oracle.

Every test slice is swept by itself, as a user with one scan would: the oracle takes the
candidate of the largest PSNR from all measurements; each criterion of `criteria` takes
its own, and its PSNR there is compared with the oracle's. As a user with a scan of many
slices would, it takes one for all of them as well, by its mean over them. Candidates
are a grid about what validation chose, whose own loss is in the table as well.
Resumable: of what was broken off, no candidate is asked twice under the same settings.

    python -m experiments.reference_free --config configs/mri_brats.py
"""

import copy
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from experiments import choosing, rows, scoring

_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to choose for.")
_FACTORS = flags.DEFINE_list(
    "factors", ["0.25", "0.5", "1", "2"], "Candidates of zeta, in units of the chosen."
)
_LAM_FACTORS = flags.DEFINE_list(
    "lam_factors", None, "The same of lam; squares of those of zeta by default."
)
_N_IMAGES = flags.DEFINE_integer("n_images", 8, "Slices of the test subject.")
_STEPS = flags.DEFINE_integer("steps", 50, "Network evaluations of one sample.")
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of the table.")


def main(argv: list[str]) -> None:
    """Print and write the table."""
    del argv
    config = copy.deepcopy(_CONFIG.value).unlock()
    config.data.n_images, config.sampler.n_steps = _N_IMAGES.value, _STEPS.value
    stem = f"reference_free-{rows.level_name(config)}"
    kept = Path(_OUT.value) / f"{stem}.json"
    zeta = [float(factor) for factor in _FACTORS.value]
    lam = [float(factor) for factor in _LAM_FACTORS.value or ()]
    factors = choosing.Factors(zeta, lam or [factor**2 for factor in zeta])
    text = choosing.table(config, factors, kept)
    kept.with_suffix(".md").write_text(text + "\n")
    print(f"{stem}, {scoring.prior_id(config)}\n{text}", flush=True)


if __name__ == "__main__":
    app.run(main)
