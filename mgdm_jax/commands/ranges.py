"""Numbers of a configuration that make no sense, refused before anything is done."""

from mgdm_jax.defaults import Config

MANY = 2**31 - 2
"""Steps are counted, and entries indexed, by int32."""

FLOAT = 3e38
"""As large as a float32 can be; what diverges is reported, not refused."""

RANGES = {
    "task.acceleration": (1, 1e6),
    "task.mask_seed": (0, 2**63 - 1),
    "task.n_coils": (1, 1000),
    "task.n_views": (1, 100_000),
    "task.factor": (1, 10_000),
    "task.kept": (0, 1),
    "task.blur_std": (0, 1e6),
    "task.noise_std": (0, 1e6),
    "task.photons": (0, 1e15),
    "data.n_images": (1, MANY),
    "data.channels": (1, 2),
    "data.n_validation": (1, MANY),
    "guidance.zeta": (0, FLOAT),
    "guidance.lam": (0, FLOAT),
    "guidance.rho": (0, FLOAT),
    "guidance.cg_steps": (1, 1_000_000),
    "sampler.n_steps": (1, 1_000_000),
    "sampler.n_samples": (1, 10_000),
    "sampler.batch_size": (0, 1_000_000),
    "sampler.travel_length": (1, 1_000_000),
    "sampler.travel_repeat": (1, 1_000_000),
    "sampler.eta": (0, 1),
    "sampler.order": (1, 2),
    "sampler.seed": (0, 2**63 - 1),
    "sweep.n_trials": (1, 1_000_000),
    "sweep.batch_size": (1, 1_000_000),
    "sweep.memory": (0, 1e6),
    "units.scale": (1e-6, 1e6),
    "units.offset": (-1e6, 1e6),
    "units.low": (-1e6, 1e6),
    "units.high": (-1e6, 1e6),
    "loss.time_power": (0, 100),
    "train.seed": (0, 2**63 - 1),
    "train.batch_size": (1, 1_000_000),
    "train.n_steps": (1, MANY),
    "train.learning_rate": (0, 1),
    "train.warmup_steps": (0, MANY),
    "train.decay_share": (0, 1),
    "train.ema_decay": (0, 1),
    "train.log_every": (1, MANY),
    "train.validate_every": (1, MANY),
    "train.sample_every": (0, MANY),
    "train.save_every": (1, MANY),
}
"""Field of `defaults`, or of `training.defaults` -> its least and greatest."""


def check(config: Config) -> None:
    """Refuse a field of the configuration that is out of its range, or no number.

    Fields that are absent or open (None) are somebody else's.

    Raises:
      ValueError: naming the field, what is expected and what was given.
    """
    for name, (least, most) in RANGES.items():
        section, field = name.split(".")
        value = config[section].get(field) if section in config else None
        if value is None:
            continue
        if value > most:
            raise ValueError(f"{name} must be at most {most}, got {value}.")
        if not value >= least:  # NaN as well
            raise ValueError(f"{name} must be at least {least}, got {value}.")
    if "sampler" in config:
        length, n_steps = config.sampler.travel_length, config.sampler.n_steps
        if length > n_steps:
            raise ValueError(
                f"sampler.travel_length must be at most sampler.n_steps={n_steps}, got "
                f"{length}."
            )


def check_training(config: Config) -> None:
    """Refuse a training whose numbers are out of range, or do not fit together.

    Raises:
      ValueError: naming the fields, what is expected and what was given.
    """
    check(config)
    units, network = config.units, config.network
    if not units.low < units.high:
        raise ValueError(
            f"units.low must be below units.high, got {units.low} and {units.high}."
        )
    channels = (network.in_channels, network.out_channels)
    if set(channels) != {config.data.channels}:
        raise ValueError(
            "network.in_channels and network.out_channels must be data.channels="
            f"{config.data.channels}, got {channels[0]} and {channels[1]}."
        )
