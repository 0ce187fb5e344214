"""Prior of T1-weighted brain magnitudes, 120x120, from the embedded sample.

Stands in for the paper's BraTS prior. Hold one subject back first, then continue on
all: `--config.data.subjects=s1,mni152,itk_mprage --config.data.held_back=''`.

    python -m mgdm_jax.train --config configs/priors/brain_t1.py
"""

from ml_collections import ConfigDict


def get_config(arg: str = "") -> ConfigDict:
    """Return the configuration; `:smoke` takes a few steps with a tiny network."""
    config = ConfigDict()
    config.name = "brain_t1"
    config.init = ""  # prior file to start from where no checkpoint exists

    config.data = ConfigDict()
    config.data.modality = "brain"
    config.data.channels = 1
    config.data.subjects = "s1,mni152"  # training volumes, comma separated
    config.data.held_back = "itk_mprage"  # volume of the validation loss
    config.data.n_validation = 12  # slices

    config.network = ConfigDict()
    config.network.image_size = 120
    config.network.in_channels = 1
    config.network.out_channels = 1
    config.network.model_channels = 32
    config.network.channel_mult = (2.0, 3.0, 4.0)
    config.network.n_res_blocks = 1
    config.network.attention_resolutions = (15,)
    config.network.resblock_updown = False
    config.network.patch = 2  # pixel-unshuffle stem: a quarter of the cost

    config.units = ConfigDict()  # x_net = scale * x + offset, x in [low, high]
    config.units.scale = 2.0
    config.units.offset = -1.0
    config.units.low = 0.0
    config.units.high = 1.0

    config.loss = ConfigDict()
    config.loss.schedule = "linear"
    config.loss.prediction = "v"
    config.loss.weight = "v"
    config.loss.time_power = 1.5  # visits t < 500 in 63 % of the draws

    config.train = ConfigDict()
    config.train.seed = 0
    config.train.batch_size = 6
    config.train.n_steps = 60_000
    config.train.learning_rate = 7e-4
    config.train.warmup_steps = 300
    config.train.decay_share = 0.15  # last share of the steps, cooling to zero
    config.train.ema_decay = 0.9995
    config.train.log_every = 100
    config.train.validate_every = 500
    config.train.save_every = 250
    if arg == "smoke":
        config.network.model_channels = 32
        config.network.channel_mult = (1.0, 1.0)
        config.train.batch_size = 2
        config.train.n_steps = 4
        config.train.warmup_steps = 1
        config.train.log_every = config.train.validate_every = 2
        config.train.save_every = 2
        config.data.n_validation = 2
    return config
