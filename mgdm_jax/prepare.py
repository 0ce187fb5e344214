r"""Prepare a data set: `python -m mgdm_jax.prepare brats --in DIR --out images.h5`.

Reads BraTS, fastMRI, LIDC-IDRI, or any DICOM series or NIfTI volumes, and writes one
HDF5 file of slices (`data.prepared`), which `--config.data.path` of `run` and `train`
takes, and a manifest beside it: what each volume was made of, with checksums, and what
was left out and why. Subjects are split by a hash of their names, but for those named
by `--validation` and `--test`.

    python -m mgdm_jax.prepare fastmri --in multicoil_val --out knees.h5
    python -m mgdm_jax.prepare lidc --in LIDC-IDRI --out chests.h5 --workers 8
    python -m mgdm_jax.prepare nifti --in scans --out chests.h5 --modality ct --size 320
    python -m mgdm_jax.prepare fastmri --in multicoil_val --out knees --measured \
        --acceleration 4

`--measured` keeps fastMRI's own k-space: a file a volume, which `run` takes as well.
Finished volumes lie in `OUT.parts` until all are there: started again, it goes on.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from tqdm import tqdm

from mgdm_jax.commands import launch
from mgdm_jax.data import fastmri, jobs, prepared, readers, volumes
from mgdm_jax.data.splits import Splits, parse
from mgdm_jax.storage import aside

SHARES = ("train=0.8", "validation=0.1", "test=0.1")


def prepare(
    reader: readers.Reader,
    root: Path,
    out: Path,
    splits: Splits,
    workers: int,
) -> dict:
    """Prepare every volume below a folder, write them as one file, return the manifest.

    Raises:
      ValueError: with one line, if no volume can be prepared.
      OSError: if a file cannot be written; what was finished is kept.
    """
    folder = _parts(out)
    found = _found(reader, root, splits)
    work = [jobs.SlicesJob(v, splits.of(v.subject), reader, folder) for v in found]
    jobs.check_parts(folder)
    jobs.check_unread(work, [out, manifest_path(out)])
    finished = _finish(work, workers)
    entries, parts = jobs.alike(finished, folder)
    odd = (entry for entry in entries if "skipped" in entry and entry not in finished)
    sys.stderr.writelines(f"{_line(entry)}\n" for entry in odd)
    manifest = {"reader": dataclasses.asdict(reader), **dataclasses.asdict(splits)}
    manifest["volumes"] = entries
    text = json.dumps(manifest, indent=1)
    aside.write_text(folder / jobs.PLAN, text)
    prepared.merge(out, parts, reader.name)
    aside.write_text(manifest_path(out), text)
    aside.remove(folder)
    return manifest


def prepare_measured(
    root: Path,
    out: Path,
    splits: Splits,
    sampling: fastmri.Sampling | None,
    workers: int,
    *,
    overwrite: bool = False,
) -> dict:
    """Write fastMRI's own k-space of every volume into a folder; return the manifest.

    What an earlier preparation left in the folder is replaced, or kept where nothing
    changed; other files only where they may be overwritten.

    Raises:
      ValueError: with one line, if no volume can be prepared, or something else would
        be replaced.
      OSError: if a file cannot be written; what was finished is kept.
    """
    work = [
        jobs.MeasuredJob(v, splits.of(v.subject), out, sampling)
        for v in _found(readers.make("fastmri", None, "crop", "mr"), root, splits)
    ]
    outputs = [job.output for job in work]
    if not overwrite:
        jobs.check_ours(outputs)
    jobs.check_unread(work, [*outputs, manifest_path(out)])
    manifest: dict = {"sampling": sampling and dataclasses.asdict(sampling)}
    manifest |= dataclasses.asdict(splits) | {"volumes": _finish(work, workers)}
    aside.write_text(manifest_path(out), json.dumps(manifest, indent=1))
    return manifest


def manifest_path(out: Path) -> Path:
    """Return where the manifest of a prepared file, or folder, lies."""
    return out.with_name(f"{out.name}.manifest.json")


def _parts(out: Path) -> Path:
    """Return the folder of finished volumes; where there is one, `out` is not done."""
    return out.with_name(f"{out.name}.parts")


def _check_new(out: Path) -> None:
    """Refuse what exists, unless a preparation that was killed wrote it at its end.

    Raises:
      ValueError: naming it.
    """
    manifest, plan = manifest_path(out), _parts(out) / jobs.PLAN
    planned = plan.read_text() if plan.exists() else None
    ours = not manifest.exists() or manifest.read_text() == planned
    if planned and ours and prepared.is_prepared(out):
        entries = json.loads(planned)["volumes"]
        kept = {entry["volume"] for entry in entries if "skipped" not in entry}
        if prepared.names(out, "volume") == kept:
            return
    for path in (out, manifest):
        if path.exists():
            raise ValueError(f"{path} exists; give another --out, or --overwrite.")


def _found(reader: readers.Reader, root: Path, splits: Splits) -> list[volumes.Volume]:
    found = reader.find(root)
    if not found:
        raise ValueError(f"{root} holds no volume that {reader.known}.")
    splits.check_known({volume.subject for volume in found})
    return found


def _finish(work: Sequence[Any], workers: int) -> list[dict]:
    """Return the manifest's entries of all jobs, in the order of the volumes' names."""
    entries = []
    with tqdm(total=len(work), unit="volume", desc="prepare") as bar:
        for entry in jobs.each(work, workers):
            bar.update()
            entries.append(entry)
            if "skipped" in entry:
                bar.write(_line(entry), sys.stderr)
    entries.sort(key=lambda entry: entry["volume"])
    if all("skipped" in entry for entry in entries):
        raise ValueError(
            f"none of {len(entries)} volumes can be used; {entries[0]['volume']}: "
            f"{entries[0]['skipped']}"
        )
    return entries


def _line(entry: dict) -> str:
    return f"left out {entry['volume']}: {entry['skipped']}"


def _define_flags() -> None:
    flags.DEFINE_string("in", None, "Folder of the data set.")
    flags.DEFINE_string("out", None, "HDF5 file to write; with --measured a folder.")
    flags.DEFINE_integer("size", None, "Height and width of the slices.")
    fits = ["auto", *volumes.FITS]
    how = "How they get that size; auto resamples CT, and crops or pads all else."
    flags.DEFINE_enum("fit", "auto", fits, how)
    flags.DEFINE_enum("modality", "mr", ["mr", "ct"], "Of NIfTI volumes.")
    flags.DEFINE_list("shares", list(SHARES), "Shares of the subjects not named.")
    flags.DEFINE_list("validation", [], "Names of subjects for validation.")
    flags.DEFINE_list("test", [], "Names of subjects for the test.")
    flags.DEFINE_bool("measured", False, "Keep fastMRI's own k-space.")
    flags.DEFINE_string(
        "mask", "gaussian1d", "How complete data of --measured are sampled."
    )
    flags.DEFINE_float("acceleration", None, "How much so; not if they have masks.")
    flags.DEFINE_integer("seed", 0, "Of the mask.")
    flags.DEFINE_integer("workers", min(4, os.cpu_count() or 1), "Processes.", 1)
    flags.DEFINE_bool("overwrite", False, "Replace an existing file.")
    flags.mark_flags_as_required(["in", "out"])


def _run(name: str, given: flags.FlagValues) -> str:
    """Prepare a data set and return what to tell of it."""
    reader = readers.make(name, given.size, given.fit, given.modality)
    splits = parse(given.shares, given.validation, given.test)
    _check_used(name, given)
    root, out = Path(str(given["in"].value)), Path(given.out)
    if not root.is_dir():
        raise ValueError(f"{root} is no folder; --in names the data set's.")
    aside.check(out)
    if given.measured:
        return _run_measured(name, given, root, out, splits)
    if out.suffix not in (".h5", ".hdf5"):
        raise ValueError(f"--out must end in .h5, got {out}.")
    if out.is_dir():
        raise ValueError(f"{out} is a folder; give another --out.")
    aside.clear(_parts(out))  # of one that was killed when all was written
    if not given.overwrite:
        _check_new(out)
    entries = prepare(reader, root, out, splits, given.workers)["volumes"]
    found = prepared.summary(out)
    counts = [
        f"{split} {count.slices} of {count.subjects} subjects"
        for split, count in found.items()
    ]
    said = f"wrote {out}, slices: {'; '.join(counts)}{_left_out(entries, out)}\n"
    lacking = splits.lacking([split for split, count in found.items() if count.slices])
    if lacking:
        said += (
            f"no subject came to {', '.join(lacking)}: name some by --validation and "
            "--test, or give other --shares\n"
        )
    return said


def _check_used(name: str, given: flags.FlagValues) -> None:
    """Refuse flags that would change nothing."""
    idle = {"modality": name != "nifti"}
    idle |= dict.fromkeys(("mask", "acceleration", "seed"), not given.measured)
    for flag, is_idle in idle.items():
        if is_idle and given[flag].present:
            where = "for nifti" if flag == "modality" else "with --measured"
            raise ValueError(f"--{flag} has an effect only {where}; leave it out.")


def _run_measured(
    name: str,
    given: flags.FlagValues,
    root: Path,
    out: Path,
    splits: Splits,
) -> str:
    if name != "fastmri" or given.size:
        raise ValueError("--measured is for fastmri, without --size.")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; with --measured --out names a folder.")
    _check_apart(root, out)
    if manifest_path(out).exists() and not given.overwrite:
        raise ValueError(f"{out} is complete; give another --out, or --overwrite.")
    sampling = None
    if given.acceleration is not None:
        sampling = fastmri.Sampling(given.mask, given.acceleration, given.seed)
    entries = prepare_measured(
        root, out, splits, sampling, given.workers, overwrite=given.overwrite
    )["volumes"]
    return f"wrote {out}{_left_out(entries, out)}\n"


def _check_apart(root: Path, out: Path) -> None:
    """Refuse folders of which one is, or lies in, the other."""
    here, there = root.resolve(), out.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise ValueError(f"--out {out} and --in {root} overlap; give another --out.")


def _left_out(entries: list[dict], out: Path) -> str:
    count = sum("skipped" in entry for entry in entries)
    return f"; {count} of {len(entries)} volumes left out, see {manifest_path(out)}"


def cli() -> None:
    """Define the flags and prepare; here, so that importing this defines none."""
    _define_flags()

    launch.start(
        lambda words: sys.stdout.write(_run(words[0], flags.FLAGS)),
        n_words=1,
        words=f"one data set of {', '.join(readers.NAMES)}",
    )


if __name__ == "__main__":
    cli()
