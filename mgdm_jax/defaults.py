"""Every field of a configuration, with its default; `configs/` changes what differs.

Those of `mgdm_jax.train` are in `training.defaults`.
"""

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
    config.task.photons = 0.0  # or, CT: I_0 a detector; 0 for no such noise

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
    set_adm(config.prior.network, image_size, channels)
    return config


def set_adm(network: Config, image_size: int, channels: int) -> None:
    """Put ADM's architecture for images of that size into fields of a network."""
    network.image_size = image_size
    network.in_channels = network.out_channels = channels
    network.model_channels = 128
    network.channel_mult = (1, 1, 2, 2, 4) if image_size == 240 else (1, 1, 2, 2, 4, 4)
    network.n_res_blocks = 1
    network.attention_resolutions = (image_size // 16,)
