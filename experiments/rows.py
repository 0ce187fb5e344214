"""The rows of every table: a method, or a method with other settings."""

import copy

from mgdm_jax import hyperparameters
from mgdm_jax.defaults import Config

VARIANTS = {
    "least_squares": {"guidance.proximal": "cg"},
    "tv": {"guidance.proximal": "cg"},
    "wavelets": {"guidance.proximal": "cg"},
    "ddim": {},
    "dps": {},
    "dps_fresh": {"method": "dps", "sampler.noise": "ddnm"},
    "dps_1000": {"method": "dps"},
    "mcg": {},
    "mcg_fresh": {"method": "mcg", "sampler.noise": "ddnm"},
    "pigdm": {},
    "pigdm_fresh": {"method": "pigdm", "sampler.noise": "ddnm"},
    "ddnm": {},
    "ddnm_fbp": {"method": "ddnm", "guidance.proximal": "fbp_residual"},
    "ddnm_fbp_merge": {"method": "ddnm", "guidance.proximal": "fbp_merge"},
    "ddnm_plus": {},
    "ddrm": {},
    "dds": {},
    "diffpir": {},
    "red_diff": {},
    "score_med": {},
    "score_mri": {},
    "csgm_langevin": {},
    "mgdm_no_pr": {},
    "mgdm_no_ir": {},
    "mgdm_no_r": {},
    "mgdm_no_i": {},
    "mgdm": {},
    "mgdm_eq13": {
        "method": "mgdm",
        "guidance.zeta_scaling": "eq13",
        "guidance.residual": "norm",
    },
    "supervised": {
        "prior.path": "experiments/weights/supervised_brain_t1_8x.safetensors",
    },
}
"""Name of a row, as tables have them -> what it changes besides the method.

The classical ones iterate: a spectrum would be computed for nothing. A `_fresh` one
draws its noise by Algorithm 2's convention, as MGDM and DDNM do, not by its own code's.
`mgdm_eq13` has ζ as eq. 13, over √ᾱ, and as DPS over the residual's norm.
"""

STARTING = {
    "least_squares": (0.0, 1e-3, 0.0, 0.0),
    "tv": (0.0, 1e-3, 0.0, 0.0),
    "wavelets": (0.0, 1e-3, 0.0, 0.0),
    "supervised": (0.0, 0.0, 0.0, 0.0),
}
"""The four numbers of rows that are no `config.method`, chosen for nothing."""

MAX_STEPS = 1000
"""Times that a prior of a discrete schedule knows."""

LONG = {"dps_1000": 10.0, "score_med": 10.0, "score_mri": 10.0, "csgm_langevin": 3.33}
"""Rows of thousands of evaluations -> how many times the usual steps they take."""

FEWER_SLICES = 4
"""Slices of the long rows, of 16; paired all the same."""

CLASSICAL: tuple[str, ...] = ("least_squares", "tv", "wavelets")
"""Rows of `classical.METHODS`, which know no prior; their weight is `lam`."""

SUPERVISED = "supervised"
"""The row of `supervised_unet`, which knows one task; only table 4 has it."""

COMPARED = tuple(name for name in VARIANTS if name != SUPERVISED)
"""Rows of `compare`."""


def applicable(config: Config, names: list[str]) -> list[str]:
    """Return the rows that exist for the configuration's task.

    FBP is CT's; without noise DDNM+ is DDNM.
    """
    absent = set() if config.task.kind == "ct" else {"ddnm_fbp", "ddnm_fbp_merge"}
    absent |= set() if hyperparameters.is_noisy(config.task) else {"ddnm_plus"}
    return [name for name in names if name not in absent]


def configured(config: Config, name: str) -> Config:
    """Return a copy set up as the row, with the numbers tuned for the row.

    A row that is a method with other settings never takes the method's tuned numbers.
    """
    config = copy.deepcopy(config).unlock()  # a command's is locked
    config.update_from_flattened_dict({"method": name} | VARIANTS[name])
    steps = round(config.sampler.n_steps * LONG.get(name, 1.0))
    config.sampler.n_steps = min(steps, max(MAX_STEPS, config.sampler.n_steps))
    if name in config.tuned:
        config.tuned[config.method] = config.tuned[name]
    elif name in STARTING:
        config.tuned[config.method] = {hyperparameters.ANY: STARTING[name]}
    elif name != config.method:
        start = config.tuned[config.method][hyperparameters.ANY]
        config.tuned[config.method] = {hyperparameters.ANY: start}
    return config


def level_name(config: Config) -> str:
    """Return the stem of a table's files: config, level, noise, steps."""
    task = config.task
    level = f"{task.mask}-{task.acceleration:g}x"
    if task.kind == "ct":
        level = f"{task.n_views}views"
    noise = f"-noise{task.noise_std:g}" if task.noise_std else ""
    dose = f"-photons{task.photons:g}" if task.photons else ""
    return f"{config.name}-{level}{noise}{dose}-{config.sampler.n_steps}steps"
