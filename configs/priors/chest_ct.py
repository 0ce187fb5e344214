"""Prior of chest CT, 160x160, clip((HU + 1024) / 2048, 0, 1), from the embedded sample.

Stands in for the paper's LIDC prior; its first training started from the brain prior
(`--config.init=brain_t1`), whose every layer fits. One subject is held back; to go on
with all: `--config.data.subjects=totalsegmentator,lung1 --config.data.held_back=''`.

    python -m mgdm_jax.train --config configs/priors/chest_ct.py

`:paper` is the paper's LIDC prior, 320x320, and wants --config.data.path, a file of
`python -m mgdm_jax.prepare lidc`.
"""

from mgdm_jax.training import defaults


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.prior_training()
    config.name = "chest_ct"
    config.data.modality = "chest"
    config.data.subjects = "totalsegmentator"
    config.data.held_back = "lung1"
    config.network.image_size = 160
    config.network.attention_resolutions = (20,)
    config.train.batch_size = 4
    if arg == "paper":
        config.name = "lidc"
        return defaults.paper_training(config, image_size=320, channels=1)
    return defaults.shorten(config, arg)
