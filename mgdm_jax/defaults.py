"""Every field of a configuration, with its default; `configs/` changes what differs."""

from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from mgdm_jax import tuned

Config = Any
"""An `ml_collections.ConfigDict`, whose fields have no static types."""


def reconstruction() -> Config:
    """Return the fields of `mgdm_jax.run`."""
    config: Config = ConfigDict()
    config.name = ""
    config.method = "mgdm"  # see methods.FACTS

    config.task = ConfigDict()
    config.task.kind = "mri_real"  # mri_real, mri_complex, ct; inpainting,
    # super_resolution, deblurring: simulated from images
    config.task.acceleration = 4.0  # MRI: nominal R
    config.task.mask = "equispaced"  # MRI: equispaced, random, gaussian1d/2d, radial
    config.task.mask_seed = 0
    config.task.n_coils = 1  # MRI complex: simulated birdcage coils
    config.task.n_views = 23  # CT: parallel-beam angles over 180 degrees
    config.task.kept = 0.3  # inpainting: share of the pixels that are known
    config.task.factor = 4  # super-resolution: pixels along a block's side
    config.task.blur_std = 2.0  # deblurring: standard deviation in pixels
    config.task.noise_std = 0.0  # sigma_y in operator units, per real component
    config.task.photons = 0.0  # or, simulated CT: I_0 a detector; 0 for no such noise

    config.data = _measured_data()

    config.prior = ConfigDict()
    config.prior.path = "brain_t1"  # shipped prior's name, or a .safetensors file
    config.prior.network = ConfigDict()  # for benchmarks of :paper; no command reads it
    config.prior.dtype = "float32"  # of the network; bfloat16 halves its memory
    config.prior.clip_denoised = True
    config.prior.clip_gradient = "through"  # or straight: gradients pass the clip

    config.guidance = _guidance()

    config.sampler = _sampler()
    config.sweep = _sweep()
    config.tuned = starting_values()  # tuned.<method>.<level> = zeta, lam, rho, eta
    return config


def _measured_data() -> Config:
    """Return where measurements come from, or the images to simulate them from."""
    data: Config = ConfigDict()
    data.path = placeholder(str)  # HDF5 of yours: measurements, or images by
    # `prepare`, to simulate them from; none: the embedded sample
    data.wider_field = False  # k-space of yours that reaches beyond the prior's
    # images: take these for its middle, and what lies around them for empty
    data.embedded = True  # without a path, use the embedded sample
    data.modality = "brain"  # of the embedded sample: brain, chest
    data.split = "test"  # of the sample or of prepared images
    data.subject = "colin27"  # of the sample; or of prepared images, if it is there
    data.n_images = 16
    return data


def _sampler() -> Config:
    """Return the reverse process: times, noise, seed, batch."""
    sampler: Config = ConfigDict()
    sampler.n_steps = 100  # times visited, see methods.FACTS
    sampler.start = 1.0  # share of T to start at; below 1 from the baseline image
    sampler.travel_length = 1  # levels of a way back to more noise, and
    sampler.travel_repeat = 1  # times each stretch is walked: 1 for no time travel
    sampler.eta = placeholder(float)  # None: from `tuned`
    sampler.seed = 0
    sampler.n_samples = 1  # of each image; scored is the first, the others tell
    # how far samples lie apart
    sampler.batch_size = 4  # images of one program; 0: as many as fit, `run` alone
    sampler.time_grid = "ddnm"  # or leading, linspace, quadratic, log_snr
    sampler.order = 1  # of the update; 2 looks back as DPM-Solver++(2M)
    sampler.noise = placeholder(str)  # ddnm, ddim; None: as the method's paper
    return sampler


def _guidance() -> Config:
    """Return the numbers (None: the value of `tuned` for method and task) and forms."""
    guidance: Config = ConfigDict()
    guidance.zeta = placeholder(float)  # inner step; DPS's step as well
    guidance.lam = placeholder(float)  # proximal weight
    guidance.rho = placeholder(float)  # discrepancy step
    guidance.proximal = "auto"  # spectral, else cg; CT also fbp_residual, fbp_merge
    guidance.lam_follows_noise = True  # adds sigma_y^2 / r_t^2 to lam
    guidance.cg_steps = placeholder(int)  # of proximal=cg; None: 100, for DDS 5
    guidance.residual = placeholder(str)  # squared (None for MGDM), norm (DPS)
    guidance.discrepancy_norm = "squared"  # or norm
    guidance.zeta_scaling = "algorithm2"  # or eq13: zeta / sqrt(alpha_bar)
    guidance.through_inner = False  # second-order discrepancy gradient
    return guidance


def _sweep() -> Config:
    """Return what `mgdm_jax.sweep` varies; a number without values stays as it is.

    Values are a grid's; for the other strategies they are (low, high), drawn
    log-uniformly where low is positive.
    """
    sweep: Config = ConfigDict()
    sweep.strategy = "grid"  # every combination; or random, bayesian
    sweep.criterion = "psnr"  # against references; without any: held_out, and for
    # noisy measurements discrepancy, sure
    sweep.zeta = sweep.lam = sweep.rho = sweep.eta = ()
    sweep.n_steps = ()  # all of them with any strategy: a program each
    sweep.n_trials = 32  # random, bayesian: candidates at each n_steps
    sweep.seed = 0  # of the candidates; the images' is sampler.seed
    sweep.batch_size = 4  # candidates at once, of sampler.batch_size images each
    sweep.memory = placeholder(float)  # GB of each accelerator, or of the CPU, that
    # these may take at most: fewer at once where they would take more
    return sweep


def starting_values() -> Config:
    """Return `tuned.STARTING` as every method's only level."""
    levels: Config = ConfigDict()
    for method, values in tuned.STARTING.items():
        levels[method] = {"any": values}
    return levels


def set_tuned(config: Config, chosen: dict[str, dict[str, tuple]]) -> None:
    """Put numbers chosen on validation, level -> method -> (ζ, λ, ρ, η), into `tuned`.

    Those of other levels stay; methods that are not named keep their starting values.
    """
    for level, methods in chosen.items():
        for method, numbers in methods.items():
            if method not in config.tuned:
                config.tuned[method] = {}
            config.tuned[method][level] = numbers


def shrink(config: Config, arg: str) -> Config:
    """Return the variant `:smoke` (seconds), `:demo` (a minute), or config itself.

    Raises:
      ValueError: for another argument; `:paper` is each file's own.
    """
    match arg:
        case "":
            return config
        case "smoke":
            config.data.n_images, config.sampler.n_steps = 2, 5
        case "demo":
            config.data.n_images, config.sampler.n_steps = 4, 50
        case _:
            known = ":smoke, :demo and, of the paper's tasks, :paper"
            raise ValueError(f"variants are {known}; got :{arg}.")
    return config


def paper(config: Config, image_size: int, channels: int) -> Config:
    """Return the paper's scale: an ADM network, data and prior to be given.

    Dhariwal & Nichol, 2021; channel multipliers as the published 256 models', one level
    fewer at 240 = 16 · 15.
    """
    config.data.embedded = False
    config.data.n_images = 1000
    config.prior.path = placeholder(str)
    _set_adm(config.prior.network, image_size, channels)
    return config


def paper_training(config: Config, image_size: int, channels: int) -> Config:
    """Return a training at the paper's scale, on images of yours by `prepare`.

    Loss, learning rate and moving average as Dhariwal & Nichol's 256 models, from
    fresh weights; the paper says no more than that it took ADM's and Song et al.'s
    settings (A.5).
    """
    config.data.embedded = False
    config.init = ""
    _set_adm(config.network, image_size, channels)
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


def _set_adm(network: Config, image_size: int, channels: int) -> None:
    network.image_size = image_size
    network.in_channels = network.out_channels = channels
    network.model_channels = 128
    network.channel_mult = (1, 1, 2, 2, 4) if image_size == 240 else (1, 1, 2, 2, 4, 4)
    network.n_res_blocks = 1
    network.attention_resolutions = (image_size // 16,)


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
