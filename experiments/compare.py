"""Every method on the test subject: one table, paired, with bootstrap intervals.

Each method runs with the numbers its config holds, chosen on the validation subject by
`experiments.tune`. Intervals are over slices of one person. Resumable: a row whose
results lie in the folder under the same settings is not run again.

    python -m experiments.compare --config configs/mri_brats.py --levels=4,8
"""

from absl import app, flags
from ml_collections import config_flags

from experiments import report, rows, scoring, tables
from mgdm_jax import hyperparameters

_CONFIG = config_flags.DEFINE_config_file("config", None, "Task to compare on.")
_LEVELS = flags.DEFINE_list("levels", None, "Accelerations, or numbers of views.")
_TABLE = flags.DEFINE_bool("table", True, "Write the table of these rows.")
_ROWS = flags.DEFINE_list("rows", list(rows.COMPARED), "Rows to run.")


def main(argv: list[str]) -> None:
    """Print and write one table a level."""
    del argv
    folder = tables.folder()
    for level in map(float, _LEVELS.value or ()):
        config = hyperparameters.with_level(_CONFIG.value, level)
        config.data.n_images = tables.N_IMAGES.value
        config.sampler.n_steps = tables.STEPS.value
        results = scoring.collect(
            config, _ROWS.value, folder, long_slices=tables.LONG_SLICES.value
        )
        if _TABLE.value:
            stem, table = rows.level_name(config), report.markdown(results, {}, "")
            tables.write(folder / stem, stem, results, table)


if __name__ == "__main__":
    app.run(main)
