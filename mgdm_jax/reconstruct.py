"""Reconstruct a scan of yours: `python -m mgdm_jax.reconstruct --prior P --kspace F …`.

Arrays come from .npy, .npz, .h5, .mat or BART's .cfl files, `FILE#NAME` for one of
several; shapes, orders and units as in `data.hdf5`, one slice without its axis as well.

    python -m mgdm_jax.reconstruct --prior brain_complex --kspace k.npy --mask m.npy \
        --maps s.npy --n_samples 8 --out scan.h5
    python -m mgdm_jax.reconstruct --prior chest_ct --sinogram s.mat --angles a.npy \
        --out scan.npy

`.npy` holds the mean of the samples; `.h5` also the samples, their standard deviation,
what the measurements do not determine and the baseline; `.png` shows these.
"""

import copy
import os
import sys
from pathlib import Path

import jax
import numpy as np
from absl import flags
from tqdm import tqdm

from mgdm_jax import (
    commands,
    defaults,
    factory,
    figures,
    hyperparameters,
    methods,
    posterior,
    ranges,
    scans,
    tuned,
)
from mgdm_jax.data import hdf5
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import masks

SUFFIXES = (".npy", ".h5", ".png")


def measured(
    contents: hdf5.MriFile | hdf5.CtFile,
    source: str,
    config: Config,
    image_shape: tuple[int, ...],
) -> Measurements:
    """Return the measurements, and note their kind and level in the configuration.

    Raises:
      ValueError: with one line, if they do not fit the prior.
    """
    is_ct = isinstance(contents, hdf5.CtFile)
    kind = "mri_real" if len(image_shape) == 2 else "mri_complex"
    config.task.kind = "ct" if is_ct else kind
    factory.check_kind(config.task, image_shape)
    defaults.set_tuned(config, tuned.BY_KIND.get(config.task.kind, {}))
    # The null-space map wants the spectrum, whatever the method does.
    spectral = copy.deepcopy(config)
    spectral.method = "mgdm"
    if isinstance(contents, hdf5.CtFile):
        config.task.n_views = len(contents.angles_deg)
        spectral.data.n_images = len(contents.sinogram)
        return scans.from_ct(source, contents, spectral, image_shape)
    whole = np.broadcast_to(contents.mask, contents.kspace.shape[-2:])
    config.task.acceleration = float(masks.nominal_acceleration(whole))
    spectral.data.n_images = len(contents.kspace)
    return scans.from_mri(source, contents, spectral, image_shape)


def write(path: Path, found: posterior.Posterior, scan: Measurements) -> None:
    """Write the result by the suffix of its file, whole or not at all.

    Args:
      path: `.npy`, `.h5` or `.png`.
      found: operator units.
      scan: gives the units of the file.
    """
    if path.suffix == ".h5":
        stacks = {
            "reconstruction": scan.in_file_units(found.mean),
            "std": scan.in_file_units(found.std),
            "null_space": scan.in_file_units(found.null_space),
            "baseline": scan.in_file_units(found.baseline),
            "samples": np.stack([scan.in_file_units(x) for x in found.samples]),
        }
        facts = {"data_residual": found.data_residual, "diverged": found.diverged}
        hdf5.write(path, stacks, facts)
        return
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        if path.suffix == ".npy":
            np.save(aside, scan.in_file_units(found.mean))
        else:
            maps = {"baseline": found.baseline, "mean": found.mean}
            maps |= {"std": found.std, "null space": found.null_space}
            figures.maps(maps).savefig(aside, dpi=110)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def check_target(out: str, overwrite: bool) -> Path:
    """Return the file to write.

    Raises:
      ValueError: if it has no known suffix, exists, or cannot be written.
    """
    path = Path(out)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"--out must end in {', '.join(SUFFIXES)}, got {out}.")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists; give another --out, or --overwrite.")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path.parent} is no folder that can be written to.")
    return path


def reconstruct(
    contents: hdf5.MriFile | hdf5.CtFile,
    source: str,
    prior_name: str,
    config: Config,
    n_samples: int,
) -> tuple[posterior.Posterior, Measurements]:
    """Return samples of a scan and its measurements.

    Args:
      contents: of `scans.mri_arrays` or `scans.ct_arrays`.
      source: where they come from.
      prior_name: of a shipped prior, or its file.
      config: method, sampler, noise; the task is noted in it.
      n_samples: samples of every image.

    Raises:
      ValueError: with one line, for whatever cannot be used.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
    ranges.check(config)
    methods.make_process(config)  # an unknown method has no numbers either
    prior = factory.load_prior(prior_name)
    scan = measured(contents, source, config, prior.image_shape)
    guidance = hyperparameters.resolve(config)
    with tqdm(total=n_samples * len(scan), unit="image", desc=config.method) as bar:
        found = posterior.sample(
            jax.random.key(config.sampler.seed),
            n_samples,
            factory.make(prior, config),
            prior,
            scan,
            guidance,
            config.sampler.batch_size,
            progress=bar.update,
        )
    return found, scan


def _define_flags() -> None:
    flags.DEFINE_string("prior", None, "Name of a shipped prior, or a file.")
    flags.DEFINE_string("out", None, "File to write: .npy, .h5 or .png.")
    flags.DEFINE_string("kspace", None, "k-space, complex.")
    flags.DEFINE_string("mask", None, "Sampled positions; default: where not zero.")
    flags.DEFINE_string("maps", None, "Coil sensitivities.")
    flags.DEFINE_bool("centered", True, "Whether DC lies at N//2.")
    flags.DEFINE_string("sinogram", None, "Line integrals, pixels of an image of 1.")
    flags.DEFINE_string("angles", None, "Angles of the views in degrees.")
    flags.DEFINE_float("scale", None, "Image value that 1 stands for.")
    flags.DEFINE_string("method", "mgdm", "See `methods.METHODS`.")
    flags.DEFINE_integer("n_steps", 100, "Times visited.")
    flags.DEFINE_integer("n_samples", 1, "Samples of every image.")
    flags.DEFINE_float("noise_std", 0.0, "Noise, sigma_y, in operator units.")
    flags.DEFINE_integer("seed", 0, "Of the sampler.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing file.")
    flags.mark_flags_as_required(["prior", "out"])


def _run(given: flags.FlagValues) -> None:
    path = check_target(given.out, given.overwrite)
    is_ct = bool(given.sinogram and given.angles)
    of_mri, of_ct = ("kspace", "mask", "maps"), ("sinogram", "angles")
    foreign = [name for name in (of_mri if is_ct else of_ct) if given[name].value]
    if foreign or not (is_ct or given.kspace):
        raise ValueError(
            "give either --kspace (--mask, --maps), or --sinogram and --angles."
        )
    config = defaults.reconstruction()
    config.method, config.task.noise_std = given.method, given.noise_std
    config.sampler.n_steps, config.sampler.seed = given.n_steps, given.seed
    source = given.sinogram if is_ct else given.kspace
    if is_ct:
        contents = scans.ct_arrays(source, given.angles, given.scale)
    else:
        contents = scans.mri_arrays(
            source, given.mask, given.maps, centered=given.centered, scale=given.scale
        )
    found, scan = reconstruct(contents, source, given.prior, config, given.n_samples)
    write(path, found, scan)
    residual = found.data_residual.mean()
    sys.stdout.write(f"wrote {path}; data residual {residual:.2e}\n")
    if found.diverged.any():
        sys.stdout.write(f"WARNING: {found.diverged.sum()} samples diverged.\n")


def cli() -> None:
    """Define the flags and reconstruct; here, so that importing this defines none."""
    _define_flags()

    commands.start(lambda _: _run(flags.FLAGS), n_words=0)


if __name__ == "__main__":
    cli()
