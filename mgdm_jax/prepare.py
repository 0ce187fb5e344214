r"""Prepare a data set: `python -m mgdm_jax.prepare brats --in DIR --out images.h5`.

Reads BraTS, fastMRI, LIDC-IDRI, or any DICOM series or NIfTI volumes, and writes one
HDF5 file of slices (`data.prepared`), which `--config.data.path` of `run` and `train`
takes, and a manifest beside it: what each volume was made of, with checksums, and what
was left out and why. Subjects are split by a hash of their names.

    python -m mgdm_jax.prepare fastmri --in multicoil_val --out knees.h5
    python -m mgdm_jax.prepare lidc --in LIDC-IDRI --out chests.h5 --workers 8
    python -m mgdm_jax.prepare nifti --in scans --out chests.h5 --modality ct --size 320
    python -m mgdm_jax.prepare fastmri --in multicoil_val --out knees --measured \
        --acceleration 4

`--measured` keeps fastMRI's own k-space: a file a volume, which `run` takes as well.
Finished volumes lie in `OUT.parts` until all are there: started again, it goes on.
"""

import concurrent.futures
import concurrent.futures.process
import dataclasses
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from tqdm import tqdm

from mgdm_jax.commands import launch
from mgdm_jax.data import fastmri, jobs, prepared, readers, volumes
from mgdm_jax.storage import aside

SHARES = ("train=0.8", "validation=0.1", "test=0.1")


def prepare(
    reader: readers.Reader,
    root: Path,
    out: Path,
    shares: Mapping[str, float],
    workers: int,
) -> dict:
    """Prepare every volume below a folder, write them as one file, return the manifest.

    Raises:
      ValueError: with one line, if no volume can be prepared.
      OSError: if a file cannot be written; what was finished is kept.
    """
    folder = _parts(out)
    work = [
        jobs.SlicesJob(v, prepared.split_of(v.subject, shares), reader, folder)
        for v in _found(reader, root)
    ]
    jobs.check_parts(folder)
    jobs.check_unread(work, [out, manifest_path(out)])
    finished = _finish(work, workers)
    entries, parts = jobs.alike(finished, folder)
    odd = (entry for entry in entries if "skipped" in entry and entry not in finished)
    sys.stderr.writelines(f"{_line(entry)}\n" for entry in odd)
    manifest = {"reader": dataclasses.asdict(reader), "shares": dict(shares)}
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
    shares: Mapping[str, float],
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
        jobs.MeasuredJob(v, prepared.split_of(v.subject, shares), out, sampling)
        for v in _found(readers.make("fastmri", None, "crop", "mr"), root)
    ]
    outputs = [job.output for job in work]
    if not overwrite:
        jobs.check_ours(outputs)
    jobs.check_unread(work, [*outputs, manifest_path(out)])
    manifest: dict = {"sampling": sampling and dataclasses.asdict(sampling)}
    manifest |= {"shares": dict(shares), "volumes": _finish(work, workers)}
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
        if prepared.volumes(out) == kept:
            return
    for path in (out, manifest):
        if path.exists():
            raise ValueError(f"{path} exists; give another --out, or --overwrite.")


def _found(reader: readers.Reader, root: Path) -> list[volumes.Volume]:
    found = reader.find(root)
    if not found:
        raise ValueError(f"{root} holds no volume that {reader.name} knows.")
    return found


def _finish(work: Sequence[Any], workers: int) -> list[dict]:
    """Return the manifest's entries of all jobs, in the order of the volumes' names."""
    entries = []
    with tqdm(total=len(work), unit="volume", desc="prepare") as bar:
        for entry in _each(work, workers):
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


def _each(work: Sequence[Any], workers: int) -> Iterator[dict]:
    """Yield the entry of every job as it is finished."""
    if workers == 1:
        yield from map(jobs.run, work)
        return
    # spawn: fork would copy threads that numerical libraries have started.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        running = [pool.submit(jobs.run, job) for job in work]
        try:
            for done in concurrent.futures.as_completed(running):
                yield done.result()
        except concurrent.futures.process.BrokenProcessPool:
            raise ValueError(
                "a worker was killed, for memory most likely; start again with fewer "
                "--workers, and it goes on with what is left."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def parse_shares(given: Sequence[str]) -> dict[str, float]:
    """Return split -> share of `split=share` words.

    Raises:
      ValueError: if a split is unknown, or the shares do not add up to 1.
    """
    shares = {}
    for word in given:
        split, _, share = word.partition("=")
        try:
            shares[split] = float(share)
        except ValueError:
            raise ValueError(f"--shares wants split=share, got {word!r}.") from None
    strange = set(shares) - set(prepared.SPLITS)
    negative = any(share < 0 for share in shares.values())
    if strange or negative or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(
            f"--shares must give {', '.join(prepared.SPLITS)} shares that add up to 1, "
            f"got {','.join(given)}."
        )
    return shares


def _define_flags() -> None:
    flags.DEFINE_string("in", None, "Folder of the data set.")
    flags.DEFINE_string("out", None, "HDF5 file to write; with --measured a folder.")
    flags.DEFINE_integer("size", None, "Height and width of the slices.")
    fits = ["auto", *volumes.FITS]
    how = "How they get that size; auto resamples CT, and crops or pads all else."
    flags.DEFINE_enum("fit", "auto", fits, how)
    flags.DEFINE_enum("modality", "mr", ["mr", "ct"], "Of NIfTI volumes.")
    flags.DEFINE_list("shares", list(SHARES), "Shares of the subjects.")
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
    shares = parse_shares(given.shares)
    root, out = Path(str(given["in"].value)), Path(given.out)
    if not root.is_dir():
        raise ValueError(f"{root} is no folder; --in names the data set's.")
    aside.check(out)
    if given.measured:
        return _run_measured(name, given, root, out, shares)
    if out.suffix not in (".h5", ".hdf5"):
        raise ValueError(f"--out must end in .h5, got {out}.")
    if out.is_dir():
        raise ValueError(f"{out} is a folder; give another --out.")
    aside.clear(_parts(out))  # of one that was killed when all was written
    if not given.overwrite:
        _check_new(out)
    entries = prepare(reader, root, out, shares, given.workers)["volumes"]
    counts = [
        f"{split} {count.slices} of {count.subjects} subjects"
        for split, count in prepared.summary(out).items()
    ]
    return f"wrote {out}, slices: {'; '.join(counts)}{_left_out(entries, out)}\n"


def _run_measured(
    name: str,
    given: flags.FlagValues,
    root: Path,
    out: Path,
    shares: Mapping[str, float],
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
        root, out, shares, sampling, given.workers, overwrite=given.overwrite
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
