"""From a configuration to objects; `methods` holds the names of the methods."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from mgdm_jax import denoisers, methods, priors, scans, schedules, simulate
from mgdm_jax.data import prepared
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.networks import unet
from mgdm_jax.samplers import loop
from mgdm_jax.types import (
    Array,
    DenoiseFn,
    Guidance,
    Params,
    Problem,
    StepFn,
    StepInfo,
    TimeGrid,
)

PHOTOGRAPHIC = ("inpainting", "super_resolution", "deblurring")
"""Values of `config.task.kind` besides MRI and CT, real images only."""

Sampler = Callable[[Array, Params, Problem, Guidance], tuple[Array, StepInfo]]
"""(key, params, problem, guidance) -> (image, diagnostics), for one example."""


class Prior(NamedTuple):
    """A diffusion prior ready for sampling.

    Attributes:
      denoise: pure denoiser, operator units.
      params: weights (or their shapes).
      alpha_bar: [T] table ᾱ of its schedule.
      image_shape: `(h, w)` or `(h, w, 2)`.
      noise_scale: standard deviation of ε in operator units.
      centre: clean value that the network sees as 0, operator units.
    """

    denoise: DenoiseFn
    params: Params
    alpha_bar: np.ndarray
    image_shape: tuple[int, ...]
    noise_scale: float
    centre: float

    def grid(
        self,
        n_steps: int,
        kind: str = "ddnm",
        start: float = 1.0,
        travel: tuple[int, int] = (1, 1),
        order: int = 1,
    ) -> TimeGrid:
        """Return n_steps reverse times from the share `start` of T on.

        Args:
          n_steps: times visited; those of a time travel are visited again.
          kind: of `schedules.time_indices`, or "log_snr", its `log_snr_indices`.
          start: share of T to start from.
          travel: see `schedules.time_grid`.
          order: see `schedules.time_grid`.

        Raises:
          ValueError: for another kind, a start outside (0, 1], or too many steps.
        """
        if not 0 < start <= 1:
            raise ValueError(f"sampler.start must lie in (0, 1], got {start}.")
        n_times = max(1, round(start * len(self.alpha_bar)))
        indices = schedules.indices(n_steps, self.alpha_bar[:n_times], kind)
        return schedules.time_grid(self.alpha_bar, indices, travel, order)


class Setup(NamedTuple):
    """Everything a configuration names, ready to be jitted."""

    prior: Prior
    measurements: Measurements
    sampler: Sampler


def build(config: Config, n_kept: int = 0) -> Setup:
    """Return prior, measurements and sampler of a configuration; see `make`.

    Raises:
      ValueError: with one line, for whatever cannot be used.
    """
    prior = load_prior(
        config.prior.path,
        dtype=config.prior.dtype,
        clip_denoised=config.prior.clip_denoised,
        clip_gradient=config.prior.clip_gradient,
    )
    sampler = make(prior, config, n_kept)
    return Setup(prior, load_measurements(config, prior.image_shape), sampler)


def make(prior: Prior, config: Config, n_kept: int = 0) -> Sampler:
    """Return the sampler of `config.method` and `config.sampler`, not jitted.

    Args:
      prior: of `load_prior`.
      config: see `defaults.reconstruction`.
      n_kept: steps whose x0_hat is among the diagnostics.

    Raises:
      ValueError: with one line, for settings that cannot work.
    """
    chosen = config.sampler
    travel = methods.travel(config)
    kind, order = chosen.time_grid, chosen.order
    grid = prior.grid(chosen.n_steps, kind, chosen.start, travel, order)
    return bind(prior, methods.make_process(config), grid, n_kept)


def load_prior(
    name_or_path: str | None,
    *,
    dtype: str = "float32",
    clip_denoised: bool = True,
    clip_gradient: str = "through",
) -> Prior:
    """Return a shipped prior by name, or one of yours by its .safetensors file.

    Args:
      name_or_path: `brain_t1`, or a path.
      dtype: see `denoisers.in_precision`; weights are kept in it as well.
      clip_denoised: clip x0_hat to the prior's clean range.
      clip_gradient: "through" or "straight", see `denoisers.clip`.

    Raises:
      ValueError: if there is no such prior, or dtype.
    """
    if not name_or_path:
        raise ValueError(
            "no prior is named; give one of yours, a .safetensors file written by "
            "`python -m mgdm_jax.train` (in a configuration, --config.prior.path)."
        )
    spec, params = priors.load(name_or_path)
    return build_prior(
        spec,
        jax.device_put(params),  # jnp.asarray compiles a program for every shape
        dtype=dtype,
        clip_denoised=clip_denoised,
        clip_gradient=clip_gradient,
    )


def build_prior(
    spec: priors.PriorSpec,
    params: Params | None = None,
    *,
    dtype: str = "float32",
    clip_denoised: bool = True,
    clip_gradient: str = "through",
) -> Prior:
    """Return the prior of a specification; without params, their shapes stand in."""
    network = unet.UNetConfig.from_fields(spec.network)
    if network.n_classes:
        raise ValueError(
            f"prior {spec.name} is conditional on {network.n_classes} classes; the "
            "methods here need an unconditional one."
        )
    if spec.prediction not in priors.DIFFUSION:
        raise ValueError(
            f"prior {spec.name}: prediction must be {' or '.join(priors.DIFFUSION)}, "
            f"got {spec.prediction!r}: a network of another kind is no diffusion prior."
        )
    if network.out_channels < network.in_channels:
        raise ValueError(
            f"prior {spec.name} has {network.out_channels} output channels for images "
            f"of {network.in_channels}."
        )
    units = denoisers.Units(spec.scale, spec.offset, spec.low, spec.high)
    denoise = denoisers.network_denoiser(
        denoisers.in_precision(unet.make_apply(network), dtype),
        units,
        prediction=spec.prediction,
        clip_denoised=clip_denoised,
        clip_gradient=clip_gradient,
    )
    params = unet.abstract_params(network) if params is None else params
    table = schedules.discrete_vp(spec.schedule, spec.n_train, spec.betas)
    facts = spec.image_shape, units.noise_scale, units.centre
    return Prior(denoise, _cast(params, dtype), table, *facts)


def _cast(params: Params, dtype: str) -> Params:
    """Return weights, or their shapes, in another dtype; float32 is the files'."""
    if dtype == "float32":
        return params
    cast = functools.partial(jax.tree.map, lambda weight: weight.astype(dtype))
    abstract = any(isinstance(w, jax.ShapeDtypeStruct) for w in jax.tree.leaves(params))
    return jax.eval_shape(cast, params) if abstract else cast(params)


def make_sampler(prior: Prior, step: StepFn, grid: TimeGrid) -> Sampler:
    """Return (key, params, problem, guidance) -> (image, diagnostics), not jitted."""
    return bind(prior, functools.partial(loop.sample, step=step), grid)


def bind(
    prior: Prior, process: methods.ProcessFn, grid: TimeGrid, n_kept: int = 0
) -> Sampler:
    """Return the same of a whole process, see `methods.make_process`."""

    def sampler(
        key: Array, params: Params, problem: Problem, guidance: Guidance
    ) -> tuple[Array, StepInfo]:
        return process(
            key=key,
            denoise=prior.denoise,
            params=params,
            grid=grid,
            problem=problem,
            guidance=guidance,
            noise_scale=prior.noise_scale,
            centre=prior.centre,
            n_kept=n_kept,
        )

    return sampler


def load_measurements(config: Config, image_shape: tuple[int, ...]) -> Measurements:
    """Return the user's measurements, or those simulated from images.

    Images are the user's prepared ones, or the embedded sample's.

    Raises:
      ValueError: with one line, if there are none, or they do not fit the prior.
    """
    if not (config.data.path or config.data.embedded):
        raise ValueError(
            "this configuration runs on data of yours; give --config.data.path, an "
            "HDF5 file of measurements, or of images by `python -m mgdm_jax.prepare`."
        )
    check_kind(config.task, image_shape)
    if not config.data.path or prepared.is_prepared(config.data.path):
        return simulate.simulate(config, image_shape)
    if config.task.kind in PHOTOGRAPHIC:
        raise ValueError(
            f"task.kind={config.task.kind} is simulated from images; measurements in "
            "--config.data.path serve the kinds mri_real, mri_complex and ct."
        )
    if config.guidance.proximal == "fbp_merge":
        raise ValueError(
            "guidance.proximal=fbp_merge is for simulated views; leave it at auto for "
            "sinograms of yours."
        )
    return scans.read(config, image_shape)


def check_kind(task: Config, image_shape: tuple[int, ...]) -> None:
    """Refuse a task of an unknown kind, or one that the prior's images do not fit."""
    channels = {"mri_real": 1, "mri_complex": 2, "ct": 1}
    channels |= dict.fromkeys(PHOTOGRAPHIC, 1)
    if task.kind not in channels:
        raise ValueError(
            f"task.kind must be one of {', '.join(channels)}, got {task.kind!r}."
        )
    prior = image_shape[2] if len(image_shape) == 3 else 1
    if channels[task.kind] != prior:
        raise ValueError(
            f"task.kind={task.kind} needs a prior of {channels[task.kind]} channels, "
            f"got one of {prior}; give another."
        )
    if task.photons and task.kind != "ct":
        raise ValueError(
            f"photons are CT's, got task.photons={task.photons:g} with task.kind="
            f"{task.kind}; say how noisy other measurements are with noise_std."
        )
    if task.n_coils > 1 and task.kind != "mri_complex":
        raise ValueError(
            f"task.n_coils={task.n_coils} needs task.kind=mri_complex, got {task.kind}."
        )
