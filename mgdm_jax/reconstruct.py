r"""Reconstruct a scan: `python -m mgdm_jax.reconstruct --prior P --kspace F --out O`.

Arrays come from .npy, .npz, .h5, .mat or BART's .cfl files, `FILE#NAME` for one of
several; shapes, orders and units as in `data.hdf5`, one slice without its axis as well.
What lies beside `kspace` or `sinogram` in their file by the names there (mask, maps,
angles, the attributes scale and centered) is used; flags come before it. k-space may be
an ISMRMRD file too: see `data.ismrmrd_files`.

    python -m mgdm_jax.reconstruct --prior brain_complex --kspace k.npy --mask m.npy \
        --maps s.npy --n-samples 8 --out scan.h5
    python -m mgdm_jax.reconstruct --prior chest_ct --sinogram s.mat --angles a.npy \
        --geometry series/ --out mgdm/

`.npy`, `.nii`, `.nii.gz`, `.dcm` and a folder, of one DICOM file a slice, hold the mean
of the samples; `.h5` also the samples, their standard deviation, what the measurements
do not determine and the baseline; `.png` shows these, and so does the page that is
written beside each of them, `scan.report.html`. NIfTI and DICOM hold magnitudes,
placed as ISMRMRD's header or `--geometry` says: see `data.geometry` for the axes. Units
are the scan's; with `--units=hu`, and in DICOM of CT by default, Hounsfield units:
right for priors of clip((HU + 1024) / 2048, 0, 1).

Stopped at any moment, and started again, it goes on to the same bits: what is finished
lies in `scan.h5.parts` beside the output until that is written.
"""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from absl import flags

from mgdm_jax import (
    defaults,
    factory,
    hyperparameters,
    methods,
    posterior,
    reconstruction,
    results,
    scans,
    tuned,
)
from mgdm_jax.commands import console, launch, ranges
from mgdm_jax.data import hdf5, nifti_files, scan_arrays
from mgdm_jax.defaults import Config
from mgdm_jax.measurements import Measurements, expected_residual
from mgdm_jax.reconstructing import outputs, scan_report
from mgdm_jax.report import cautions, page
from mgdm_jax.running import parts, resumable
from mgdm_jax.types import Guidance


def measured(
    contents: hdf5.MriFile | hdf5.CtFile,
    source: str,
    config: Config,
    image_shape: tuple[int, ...],
) -> Measurements:
    """Return the measurements, and note them and their level in the configuration.

    Raises:
      ValueError: with one line, if they do not fit the prior.
    """
    is_ct = isinstance(contents, hdf5.CtFile)
    kind = "mri_real" if len(image_shape) == 2 else "mri_complex"
    config.task.kind = "ct" if is_ct else kind
    factory.check_kind(config.task, image_shape)
    defaults.set_tuned(config, tuned.BY_KIND.get(config.task.kind, {}))
    config.data.path, config.data.embedded = source, False
    if isinstance(contents, hdf5.CtFile):
        config.data.n_images = len(contents.sinogram)
        config.task.n_views = len(contents.angles_deg)
        return scans.from_ct(source, contents, config, image_shape)
    config.data.n_images = len(contents.kspace)
    scan = scans.from_mri(source, contents, config, image_shape)
    config.task.acceleration = scan.level
    return scan


def reconstruct(
    contents: hdf5.MriFile | hdf5.CtFile,
    source: str,
    prior: factory.Prior,
    config: Config,
    n_samples: int,
    unfinished: Path | None = None,
) -> tuple[posterior.Posterior, Measurements]:
    """Return samples of a scan and its measurements.

    Args:
      contents: of `scan_arrays.mri_arrays` or `scan_arrays.ct_arrays`.
      source: where they come from.
      prior: of `factory.load_prior`.
      config: method, sampler, noise; data, task and n_samples are noted in it.
      n_samples: samples of every image.
      unfinished: folder that keeps finished batches, and those found there are not
        drawn again; whoever gives it removes it. None to keep nothing.

    Raises:
      ValueError: with one line, for whatever cannot be used.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
    config.sampler.n_samples = n_samples
    ranges.check(config)
    factory.make(prior, config)  # refuses what it cannot before anything is set up
    scan = measured(contents, source, config, prior.image_shape)
    guidance = hyperparameters.resolve(config)
    hyperparameters.note(config, guidance)
    logging.info("%s", _understood(scan))
    drawn = _drawn(prior, scan, guidance, config, unfinished)
    return posterior.summarise(posterior.apart(drawn, len(scan)), scan), scan


def _drawn(
    prior: factory.Prior,
    scan: Measurements,
    guidance: Guidance,
    config: Config,
    unfinished: Path | None,
) -> reconstruction.Reconstruction:
    """Return the samples, one after another of all slices."""
    keys = posterior.keys(
        jax.random.key(config.sampler.seed), config.sampler.n_samples, len(scan)
    )
    sampler = factory.make(prior, methods.spared(config, guidance), results.N_KEPT)
    args, batch_size = (sampler, prior, scan, guidance), config.sampler.batch_size
    if unfinished is None:
        with console.TALKATIVE.progress(len(keys), "image", config.method) as count:
            return reconstruction.reconstruct(keys, *args, batch_size, count.update)

    def stride() -> int:
        return reconstruction.stride(batch_size, len(keys))

    facts = parts.facts(config, prior, scan)
    with parts.opened(unfinished, facts, stride) as kept:
        sample = reconstruction.by_batch(keys, *args, kept.stride)
        batches = reconstruction.batches(len(keys), kept.stride)
        to, label = console.TALKATIVE, config.method
        return resumable.draw(sample, batches, kept, to, label).examples


def _understood(scan: Measurements) -> str:
    """Return what was made of the arrays: axes taken for others show here."""
    y, operator = scan.measurement, scan.operator
    one = operator[0] if isinstance(operator, list) else operator
    if y.ndim == 3 and not np.iscomplexobj(y):
        what = f"{y.shape[1]} views of {y.shape[2]} detectors"
    else:
        n_coils = y.shape[1] if y.ndim == 4 else 1
        sampled = float(np.mean(np.asarray(one.mask) > 0))
        what = f"{n_coils} coils, {y.shape[-2]} x {y.shape[-1]}, {sampled:.0%} sampled"
    return f"{len(scan)} slices, {what}; scale {float(scan.scale[0]):.3g}"


def _define_flags() -> None:
    flags.DEFINE_string("prior", None, "Name of a shipped prior, or a file.")
    suffixes = ", ".join(outputs.SUFFIXES[:-1])
    flags.DEFINE_string("out", None, f"What to write: {suffixes}, or FOLDER/.")
    flags.DEFINE_string("geometry", None, "NIfTI or DICOM of the same grid.")
    flags.DEFINE_string("units", None, "Of the values written: scan or hu.")
    flags.DEFINE_string("kspace", None, "k-space, complex, or an ISMRMRD file.")
    flags.DEFINE_string("mask", None, "Sampled positions; default: where not zero.")
    flags.DEFINE_string("maps", None, "Coil sensitivities; default: by ESPIRiT.")
    flags.DEFINE_bool(
        "centered",
        None,
        "DC is at N//2; with --nocentered in the corner, as of fft2(image).",
    )
    flags.DEFINE_bool(
        "wider_field", False, "Whether the images are the middle of what k-space sees."
    )
    flags.DEFINE_string("sinogram", None, "Line integrals, pixels of an image of 1.")
    flags.DEFINE_string("angles", None, "Angles of the views in degrees.")
    flags.DEFINE_float("scale", None, "Image value that 1 stands for.")
    flags.DEFINE_string("method", "mgdm", f"Of {', '.join(methods.METHODS)}.")
    flags.DEFINE_integer("n_steps", 100, "Times visited.")
    flags.DEFINE_integer("n_samples", 1, "Samples of every image.")
    flags.DEFINE_integer(
        "batch_size", 4, "Images, or samples of them, at once.", lower_bound=1
    )
    flags.DEFINE_float("noise_std", 0.0, "Noise, sigma_y, in operator units.")
    flags.DEFINE_float("photons", 0.0, "I_0, of sinograms of attenuation.", 0.0)
    for name in ("zeta", "lam", "rho", "eta"):
        flags.DEFINE_float(name, None, "Of the method; default: as it was searched.")
    flags.DEFINE_integer("seed", 0, "Of the sampler.")
    flags.DEFINE_bool("report", True, "Write OUT.report.html beside it, to look at.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing file.")
    flags.mark_flags_as_required(["prior", "out"])


def _run(given: flags.FlagValues) -> None:
    path = outputs.check_target(given.out, given.overwrite)
    report = scan_report.target(path, given.overwrite) if given.report else None
    is_ct = bool(given.sinogram)
    of_mri = ("kspace", "mask", "maps", "centered", "wider_field")
    of_ct = ("sinogram", "angles", "photons")
    foreign = [name for name in (of_mri if is_ct else of_ct) if given[name].present]
    if foreign or not (is_ct or given.kspace):
        raise ValueError(
            "give --kspace (--mask, --maps), or --sinogram (--angles, --photons)."
        )
    config, contents = _configured(given), _contents(given)
    source = given.sinogram if is_ct else given.kspace
    n_examples = given.n_samples * _n_slices(contents)
    launch.use_cores(min(config.sampler.batch_size, n_examples))
    read = (source, given.mask, given.maps, given.angles)
    outputs.check_unread([path, report], [one for one in read if one])
    prior = _loaded(given)
    size = prior.image_shape[:2] if given.wider_field else None
    plan = outputs.plan(path, contents, given.geometry, given.units, size)
    unfinished = path.with_name(f"{path.name}.{parts.FOLDER}")
    with resumable.telling(unfinished, "the same command"):
        args = (contents, source, prior, config, given.n_samples, unfinished)
        found, scan = reconstruct(*args)
        outputs.write(plan, found, scan, given.method)
        if report is not None:
            page.write([scan_report.finished(found, scan, config, str(path))], report)
    parts.joined(unfinished).remove()
    residual = found.data_residual.mean()
    sys.stdout.write(f"{hyperparameters.told(config)}\n")
    sys.stdout.write(f"wrote {path}; data residual {residual:.2e}\n")
    for text in _warnings(plan, found, scan, given.method):
        sys.stdout.write(f"WARNING: {text}\n")


def _contents(given: flags.FlagValues) -> hdf5.MriFile | hdf5.CtFile:
    """Return the measurements, and say where coil sensitivities are estimated."""
    if given.sinogram:
        return scan_arrays.ct_arrays(given.sinogram, given.angles, given.scale)
    files = given.kspace, given.mask, given.maps
    found = scan_arrays.mri_arrays(*files, centered=given.centered, scale=given.scale)
    if found.maps_estimated:
        sys.stdout.write("coil sensitivities: estimated by ESPIRiT\n")
    return found


def _loaded(given: flags.FlagValues) -> factory.Prior:
    """Return the prior, which has to have as many levels as there are steps."""
    prior = factory.load_prior(given.prior)
    n_levels = len(prior.alpha_bar)
    if given.n_steps > n_levels:
        raise ValueError(
            f"--n-steps must be at most {n_levels}, the levels of the prior's noise, "
            f"got {given.n_steps}."
        )
    return prior


def _configured(given: flags.FlagValues) -> Config:
    """Return the configuration of a run as the flags have it."""
    config = defaults.reconstruction()
    config.method, config.task.noise_std = given.method, given.noise_std
    config.task.photons = given.photons
    for name in ("n_steps", "seed", "batch_size"):
        config.sampler[name] = given[name].value
    config.data.wider_field, config.prior.path = given.wider_field, given.prior
    config.guidance.update(zeta=given.zeta, lam=given.lam, rho=given.rho)
    config.sampler.eta = given.eta
    return config


def _n_slices(contents: hdf5.MriFile | hdf5.CtFile) -> int:
    is_ct = isinstance(contents, hdf5.CtFile)
    return len(contents.sinogram if is_ct else contents.kspace)


def _warnings(
    plan: outputs.Plan, found: posterior.Posterior, scan: Measurements, method: str
) -> Iterator[str]:
    if found.diverged.any():
        yield f"{found.diverged.sum()} samples diverged."
    facts = scan.facts | {
        "method": method,
        "image_range": results.image_range(found.mean),
        "data_residual_mean": float(found.data_residual.mean()),
        "expected_residual": expected_residual(scan),
    }
    yield from cautions.doubts(facts)
    yield from cautions.misfit(facts) + cautions.unexplained(facts)
    if plan.grid is None and plan.path.name.endswith(nifti_files.SUFFIXES):
        yield (
            f"nobody said where the images are: coordinates in {plan.path} are "
            "voxel indices; give --geometry."
        )


def cli() -> None:
    """Define the flags and reconstruct; here, so that importing this defines none."""
    _define_flags()
    launch.keep_compilations()
    launch.start(lambda _: _run(flags.FLAGS), n_words=0)


if __name__ == "__main__":
    cli()
