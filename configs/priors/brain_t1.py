"""Prior of T1-weighted brain magnitudes, 120x120, from the embedded sample.

Stands in for the paper's BraTS prior. One subject is held back; to go on with all:
`--config.data.subjects=s1,mni152,itk_mprage --config.data.held_back=''`.

    python -m mgdm_jax.train --config configs/priors/brain_t1.py

`:paper` is the paper's BraTS prior, 240x240, and wants --config.data.path, a file of
`python -m mgdm_jax.prepare brats`.
"""

from mgdm_jax.training import defaults


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.prior_training()
    if arg == "paper":
        config.name = "brats"
        return defaults.paper_training(config, image_size=240, channels=1)
    return defaults.shorten(config, arg)
