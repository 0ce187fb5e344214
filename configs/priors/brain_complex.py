"""Prior of complex brain images, 120x120, two channels, simulated smooth phase.

Stands in for the paper's fastMRI prior; its first training started from the magnitude
prior (`--config.init=brain_t1`), of which all but the first and the last layer fit.

    python -m mgdm_jax.train --config configs/priors/brain_complex.py

`:paper` is the paper's fastMRI prior, 320x320, and wants --config.data.path, a file of
`python -m mgdm_jax.prepare fastmri`.
"""

from mgdm_jax.training import defaults


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.prior_training()
    config.name = "brain_complex"
    config.data.channels = 2
    config.network.in_channels = config.network.out_channels = 2
    config.units.scale = 1.0  # an offset would turn the phase
    config.units.offset = 0.0
    config.units.low = -1.0
    if arg == "paper":
        config.name = "fastmri"
        return defaults.paper_training(config, image_size=320, channels=2)
    return defaults.shorten(config, arg)
