"""Numbers of a configuration that make no sense, refused before anything is done."""

from mgdm_jax.defaults import Config

LEAST = {
    "task.acceleration": 1,
    "task.n_coils": 1,
    "task.n_views": 1,
    "task.factor": 1,
    "task.kept": 0,
    "task.blur_std": 0,
    "task.noise_std": 0,
    "task.photons": 0,
    "data.n_images": 1,
    "sampler.n_steps": 1,
    "sampler.batch_size": 1,
    "sampler.travel_length": 1,
    "sampler.travel_repeat": 1,
    "sweep.n_trials": 1,
    "sweep.batch_size": 1,
}
"""Field of `defaults.reconstruction` -> its smallest value."""


def check(config: Config) -> None:
    """Refuse a field that is below its least value, or no number.

    Raises:
      ValueError: naming the field, what is expected and what was given.
    """
    for name, least in LEAST.items():
        section, field = name.split(".")
        value = config[section][field]
        if not value >= least:  # NaN as well
            raise ValueError(f"{name} must be at least {least}, got {value}.")
