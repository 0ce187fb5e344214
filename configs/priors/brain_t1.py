"""Prior of T1-weighted brain magnitudes, 120x120, from the embedded sample.

Stands in for the paper's BraTS prior. One subject is held back; to go on with all:
`--config.data.subjects=s1,mni152,itk_mprage --config.data.held_back=''`.

    python -m mgdm_jax.train --config configs/priors/brain_t1.py
"""

from mgdm_jax import defaults


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.prior_training()
    return defaults.shorten(config) if arg == "smoke" else config
