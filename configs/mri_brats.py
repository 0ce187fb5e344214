"""Undersampled MRI of real-valued brains; paper section 4, BraTS (table 3, figure 2).

Embedded sample (test/colin27, 120x120), 4x equispaced columns with a centre block.

    python -m mgdm_jax.run --config configs/mri_brats.py
    python -m mgdm_jax.run --config configs/mri_brats.py --config.task.acceleration=8

`:smoke` runs in seconds; `:paper` holds the paper's settings (240x240, ADM, 200 steps)
and wants --config.data.path and --config.prior.path.
"""

from ml_collections import ConfigDict

from mgdm_jax import defaults


def get_config(arg: str = "") -> ConfigDict:
    config = defaults.reconstruction()
    config.name = "mri_brats"
    return config
