"""Every field of `mgdm_jax.train`, with its default; `configs/priors` changes some."""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from mgdm_jax.defaults import Config, reconstruction, set_adm


def prior_training() -> Config:
    """Return the fields of `mgdm_jax.train`, for brains of one channel."""
    config: Config = ConfigDict()
    config.name = "brain_t1"
    config.init = "auto"  # where no checkpoint exists: the shipped prior of this name
    # if there is one; or another name or file; empty: fresh weights

    config.data = ConfigDict()
    config.data.path = placeholder(str)  # images of yours by `prepare`, splits train
    # and validation; none: the embedded sample, by the fields that follow
    config.data.embedded = True  # without a path, use the embedded sample
    config.data.channels = 1
    config.data.modality = "brain"
    config.data.subjects = "s1,s1,mni152"  # volumes; named twice, drawn twice as often
    config.data.held_back = "itk_mprage"  # volume of the validation loss, or empty
    config.data.n_validation = 12  # slices

    config.network = _small_network()

    config.units = ConfigDict()  # x_net = scale * x + offset, x in [low, high]
    config.units.scale = 2.0
    config.units.offset = -1.0
    config.units.low = 0.0
    config.units.high = 1.0

    config.loss = ConfigDict()
    config.loss.schedule = "linear"
    config.loss.prediction = "v"
    config.loss.weight = "v"  # eps-loss / alpha_bar: every noise level counts alike
    config.loss.time_power = 1.5  # visits t < 500 in 63 % of the draws

    config.train = _optimisation()
    return config


def _small_network() -> Config:
    """Return fields of `networks.unet.UNetConfig` that train on a CPU."""
    network: Config = ConfigDict()
    network.image_size = 120
    network.in_channels = 1
    network.out_channels = 1
    network.model_channels = 32
    network.channel_mult = (2.0, 3.0, 4.0)
    network.n_res_blocks = 1
    network.attention_resolutions = (15,)
    network.resblock_updown = False
    network.patch = 2  # pixel-unshuffle stem: a quarter of the cost
    return network


def _optimisation() -> Config:
    """Return steps, learning rate, moving average and how often to report."""
    train: Config = ConfigDict()
    train.seed = 0
    train.batch_size = 6
    train.n_steps = 60_000
    train.learning_rate = 7e-4
    train.warmup_steps = 300
    train.decay_share = 0.15  # last share of the steps, cooling to zero
    train.ema_decay = 0.9995
    train.log_every = 100
    train.validate_every = 500
    train.sample_every = 2000  # a grid of unconditional samples; 0 for none
    train.save_every = 200  # a multiple of log_every: a resumed log is the same
    return train


def supervised_training() -> Config:
    """Return the same for a network that reconstructs one task: see `supervised`."""
    config = prior_training()
    config.task = reconstruction().task
    config.loss.prediction = "image"  # schedule, weight, time_power have no part
    config.train.sample_every = 0
    return config


def shorten(config: Config, arg: str = "smoke") -> Config:
    """Return the variant `:smoke`, a few steps of a tiny network, or config itself.

    Raises:
      ValueError: for another argument; `:paper` is each file's own.
    """
    if not arg:
        return config
    if arg != "smoke":
        raise ValueError(f"variants are :smoke and, of priors, :paper; got :{arg}.")
    config.init = ""
    config.network.channel_mult = (1.0, 1.0)
    config.network.attention_resolutions = ()
    config.train.batch_size = 2
    config.train.n_steps = 4
    config.train.warmup_steps = 1
    config.train.log_every = config.train.validate_every = 2
    config.train.sample_every = config.train.sample_every and 4
    config.train.save_every = 2
    config.data.n_validation = 2
    return config


def paper_training(config: Config, image_size: int, channels: int) -> Config:
    """Return a training at the paper's scale, on images of yours by `prepare`.

    Loss, learning rate and moving average as Dhariwal & Nichol's 256 models, from
    fresh weights; the paper says no more than that it took ADM's and Song et al.'s
    settings (A.5).
    """
    config.data.embedded = False
    config.init = ""
    set_adm(config.network, image_size, channels)
    config.network.resblock_updown = True
    config.network.patch = 1
    config.loss.prediction = config.loss.weight = "eps"
    config.loss.time_power = 1.0
    config.train.batch_size = 32
    config.train.n_steps = 500_000
    config.train.learning_rate = 1e-4
    config.train.ema_decay = 0.9999
    config.train.validate_every = config.train.sample_every = 5000
    config.train.save_every = 5000
    return config
