"""Data sets prepared end to end: resumed, split, counted, used by other commands."""

import json
import subprocess
import sys

import h5py
import jax
import numpy as np
import pytest
import scanner_files
import tiny

from mgdm_jax import defaults, factory, prepare, priors, train, training_images
from mgdm_jax.data import fastmri, jobs, prepared, readers

SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}


def write_chests(root, rng, n=6, size=16):
    """Write a patient a series under a root; return the Hounsfield units of each."""
    made = {}
    for i in range(n):
        slices, hounsfield = scanner_files.ct_series(
            rng, n=2, size=size, patient=f"patient-{i}"
        )
        scanner_files.save_all(root / f"{i}", slices)
        made[f"patient-{i}"] = hounsfield
    return made


def reader(size=16):
    return readers.make("lidc", size, "auto", "mr")


def contents(path):
    with h5py.File(path) as file:
        return {name: values[()] for name, values in file.items()}


def test_subjects_slices_and_checksums(tmp_path, rng):
    made = write_chests(tmp_path / "in", rng)
    out = tmp_path / "chests.h5"
    manifest = prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    found = contents(out)
    subjects = found["subject"].astype(str)
    for subject, hounsfield in made.items():
        rows = subjects == subject
        expected = np.clip((hounsfield + 1024) / 2048, 0, 1)
        np.testing.assert_allclose(found["images"][rows], expected, atol=1e-6)
        split = prepared.split_of(subject, SHARES)
        assert set(found["split"][rows].astype(str)) == {split}
    entries = {entry["subject"]: entry for entry in manifest["volumes"]}
    assert json.loads((tmp_path / "chests.h5.manifest.json").read_text()) == manifest
    for subject, entry in entries.items():
        rows = subjects == subject
        assert entry["images_sha256"] == prepared.digest(found["images"][rows])
        assert len(entry["sources"]) == 2 and "output" not in entry
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "chests.h5",
        "chests.h5.manifest.json",
        "in",
    ]


def test_an_interrupted_preparation_goes_on(tmp_path, rng, monkeypatch):
    write_chests(tmp_path / "in", rng)
    whole = tmp_path / "whole.h5"
    prepare.prepare(reader(), tmp_path / "in", whole, SHARES, workers=1)
    run, done = jobs.run, []

    def interrupted(job):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(job)
        return run(job)

    out = tmp_path / "out.h5"
    monkeypatch.setattr(jobs, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    assert not out.exists()
    monkeypatch.setattr(jobs, "run", run)
    loads = []
    load = readers.Reader.load
    monkeypatch.setattr(
        readers.Reader, "load", lambda self, v: loads.append(v) or load(self, v)
    )
    prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    assert len(loads) == 3
    for name, values in contents(whole).items():
        np.testing.assert_array_equal(contents(out)[name], values)


def test_other_settings_do_not_take_what_was_left(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=1)
    (volume,) = reader().find(tmp_path / "in")
    first, other = (
        jobs.SlicesJob(volume, "test", reader(size), tmp_path) for size in (16, 8)
    )
    changed = jobs.key(first)
    assert changed != jobs.key(other)
    with open(volume.paths[0], "ab") as file:
        file.write(b"\0\0")
    assert jobs.key(first) != changed


def test_several_processes_make_the_same_file(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=3)
    for workers in (1, 2):
        out = tmp_path / f"{workers}.h5"
        prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers)
    one, two = (contents(tmp_path / f"{workers}.h5") for workers in (1, 2))
    for name, values in one.items():
        np.testing.assert_array_equal(two[name], values)


def test_broken_volumes_are_left_out_with_a_line(tmp_path, rng, capsys):
    write_chests(tmp_path / "in", rng, n=2)
    broken = sorted((tmp_path / "in" / "1").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:-400])
    out = tmp_path / "out.h5"
    manifest = prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    skipped = [entry for entry in manifest["volumes"] if "skipped" in entry]
    assert [entry["subject"] for entry in skipped] == ["patient-1"]
    assert f"left out {skipped[0]['volume']}" in capsys.readouterr().err
    assert set(contents(out)["subject"].astype(str)) == {"patient-0"}


def test_volumes_unlike_most_are_left_out_with_a_line(tmp_path, rng, capsys):
    write_chests(tmp_path / "in", rng, n=2)
    for patient, size, modality in (("wide", 24, "CT"), ("brain", 16, "MR")):
        slices, _ = scanner_files.ct_series(rng, n=2, size=size, patient=patient)
        for ds in slices:
            ds.Modality = modality
        scanner_files.save_all(tmp_path / "in" / patient, slices)
    out, any_size = tmp_path / "out.h5", readers.make("dicom", None, "auto", "mr")
    manifest = prepare.prepare(any_size, tmp_path / "in", out, SHARES, workers=1)
    skipped = {e["subject"]: e for e in manifest["volumes"] if "skipped" in e}
    assert set(skipped) == {"wide", "brain"}
    assert "24x24" in skipped["wide"]["skipped"]
    assert "the scanner's units" in skipped["brain"]["skipped"]
    lines = capsys.readouterr().err.splitlines()
    for entry in skipped.values():
        assert f"left out {entry['volume']}: {entry['skipped']}" in lines
        assert "slices" not in entry and "--size" in entry["skipped"]
    found = contents(out)
    assert set(found["subject"].astype(str)) == {"patient-0", "patient-1"}


def test_nothing_usable_writes_nothing(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=1)
    for path in (tmp_path / "in" / "0").iterdir():
        path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ValueError, match="none of 1 volumes can be used"):
        prepare.prepare(reader(), tmp_path / "in", tmp_path / "o.h5", SHARES, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    with pytest.raises(ValueError, match="holds no volume that lidc knows"):
        (tmp_path / "empty").mkdir()
        prepare.prepare(reader(), tmp_path / "empty", tmp_path / "o.h5", SHARES, 1)


def test_a_full_disk_stops_and_keeps_the_old_file(tmp_path, rng, monkeypatch):
    write_chests(tmp_path / "in", rng, n=2)
    out = tmp_path / "out.h5"
    prepare.prepare(reader(), tmp_path / "in", out, SHARES, workers=1)
    before = out.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepared, "_append", full)
    with pytest.raises(OSError, match="No space left"):
        prepare.prepare(reader(8), tmp_path / "in", out, SHARES, workers=1)
    assert out.read_bytes() == before
    assert not list(tmp_path.glob("**/*.part"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train=0.5"], "add up to 1"),
        (["train=1.5", "test=-0.5"], "add up to 1"),
        (["training=1"], "must give train, validation, test"),
        (["train"], "split=share"),
    ],
)
def test_shares_that_make_no_sense(words, message):
    with pytest.raises(ValueError, match=message):
        prepare.parse_shares(words)


def command(*words):
    return subprocess.run(
        [sys.executable, "-m", "mgdm_jax.prepare", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_tells_what_it_wrote_and_replaces_nothing(tmp_path, rng):
    write_chests(tmp_path / "in", rng, n=2)
    words = ("lidc", "--in", tmp_path / "in", "--out", tmp_path / "o.h5", "--workers=1")
    first = command(*words)
    assert first.returncode == 0, first.stderr
    assert "4 of 2 subjects" in first.stdout or "2 of 1 subjects" in first.stdout
    again = command(*words)
    assert again.returncode == 2 and "exists; give another --out" in again.stderr
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mri",), "must be one of brats"),
        ((), "expected one data set"),
        (("lidc", "--in=nowhere"), "no folder"),
        (("lidc", "--out=x.npy"), "must end in .h5"),
        (("lidc", "--measured"), "--measured is for fastmri"),
    ],
)
def test_bad_words_are_one_line(tmp_path, words, message):
    given = [f"--in={tmp_path}", f"--out={tmp_path / 'o.h5'}", *words]
    done = command(*given)
    assert done.returncode == 2 and message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def prepared_file(tmp_path, rng, *, is_complex=False, size=16):
    """Write images of three subjects, one a split."""
    parts = []
    for split in prepared.SPLITS:
        images = rng.random((4, size, size)).astype(np.float32)
        if is_complex:
            images = (images * np.exp(2j * images)).astype(np.complex64)
        facts = (["x"] * 4, np.arange(4), np.full(4, 50.0), 0.8, "u")
        parts.append(tmp_path / f"{split}.part")
        prepared.write(parts[-1], prepared.Slices(images, *facts), split, split, split)
    prepared.merge(tmp_path / "images.h5", parts, "test")
    return tmp_path / "images.h5"


@pytest.mark.parametrize("kind", ["mri_real", "mri_complex", "ct"])
def test_measurements_are_simulated_from_prepared_images(tmp_path, rng, kind):
    path = prepared_file(tmp_path, rng, is_complex=kind == "mri_complex")
    config = defaults.reconstruction()
    config.data.path, config.data.n_images = str(path), 3
    config.task.kind, config.task.n_views = kind, 5
    shape = (16, 16, 2) if kind == "mri_complex" else (16, 16)
    found = factory.load_measurements(config, shape)
    images = prepared.spread(path, "test", 3).images
    reference = found.reference
    if kind == "mri_complex":
        reference = reference @ np.array([1, 1j])
        assert found.facts["simulated"] == "k-space from complex images"
    if kind == "ct":
        images = images * found.region
    np.testing.assert_allclose(reference, images, atol=1e-6)
    np.testing.assert_allclose(
        found.in_file_units(found.reference), 50 * images, rtol=1e-5, atol=1e-4
    )
    expected = jax.vmap(found.operator.forward)(found.reference)
    np.testing.assert_allclose(found.measurement, expected, atol=1e-5)
    assert found.facts["data"] == f"{path}: test"


def test_low_dose_takes_the_files_pixels(tmp_path, rng):
    """Half the pixel, half the attenuation, more photons through: less noise."""
    path = prepared_file(tmp_path, rng)
    config = defaults.reconstruction()
    config.data.path, config.data.n_images = str(path), 2
    config.task.kind, config.task.n_views, config.task.photons = "ct", 5, 1e4
    with h5py.File(path, "a") as file:
        file["pixel_mm"][...] = 20.0
    coarse = factory.load_measurements(config, (16, 16)).noise_std
    with h5py.File(path, "a") as file:
        file["pixel_mm"][...] = 10.0
    relative = factory.load_measurements(config, (16, 16)).noise_std / coarse
    assert relative != pytest.approx(1.0, rel=0.05)


def test_images_of_another_size_are_refused(tmp_path, rng):
    config = defaults.reconstruction()
    config.data.path = str(prepared_file(tmp_path, rng))
    with pytest.raises(ValueError, match="images of 16x16, the prior is for 32x32"):
        factory.load_measurements(config, (32, 32))


def test_training_from_prepared_images(tmp_path, rng):
    config = defaults.shorten(defaults.prior_training())
    config.data.path = str(prepared_file(tmp_path, rng, is_complex=True))
    config.data.channels = 2
    config.network.update(tiny.spec(image_size=16, channels=2).network)
    config.units.scale, config.units.offset, config.units.low = 1.0, 0.0, -1.0
    with jax.numpy_dtype_promotion("standard"):
        path = train.train(config, tmp_path / "work")
    spec, _ = priors.load(str(path))
    assert spec.training["subjects"] == "images.h5"
    header, *_ = (tmp_path / "work" / "metrics.csv").read_text().splitlines()
    assert "val_t100" in header and "train_t100" in header


def test_training_wants_images_of_the_networks_size(tmp_path, rng):
    config = defaults.shorten(defaults.prior_training())
    config.data.path = str(prepared_file(tmp_path, rng))
    with pytest.raises(ValueError, match="16x16, the prior is for 120x120"):
        training_images.make_source(config)
    config.data.path, config.data.embedded = None, False
    with pytest.raises(ValueError, match=r"give --config\.data\.path"):
        training_images.make_source(config)


def test_measured_k_space_of_a_folder(tmp_path, rng):
    root, out = tmp_path / "in", tmp_path / "out"
    root.mkdir()
    for i in range(2):
        scanner_files.write_fastmri(
            root / f"k{i}.h5", rng.random((1, 64, 40)), recon=(32, 32), patient=f"p{i}"
        )
    sampling = fastmri.Sampling("equispaced", 2, 0)
    manifest = prepare.prepare_measured(root, out, SHARES, sampling, workers=1)
    assert [entry["output"] for entry in manifest["volumes"]] == ["k0.h5", "k1.h5"]
    assert all("kspace_sha256" in entry for entry in manifest["volumes"])
    other = fastmri.Sampling("equispaced", 4, 0)
    again = prepare.prepare_measured(root, out, SHARES, other, workers=1)
    hashes = [[e["kspace_sha256"] for e in m["volumes"]] for m in (manifest, again)]
    assert hashes[0] != hashes[1]


def write_knee(path, rng, patient="p"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = rng.random((1, 64, 40))
    scanner_files.write_fastmri(path, image, recon=(32, 32), patient=patient)


SAMPLING = fastmri.Sampling("equispaced", 2, 0)


def measure(tmp_path, out="out", **options):
    return prepare.prepare_measured(
        tmp_path / "in", tmp_path / out, SHARES, SAMPLING, 1, **options
    )


def test_volumes_of_one_name_in_two_folders_are_two(tmp_path, rng):
    for folder in ("a", "b"):
        write_knee(tmp_path / "in" / folder / "k.h5", rng)
    entries = measure(tmp_path)["volumes"]
    assert [entry["output"] for entry in entries] == ["a/k.h5", "b/k.h5"]
    both = [contents(tmp_path / "out" / e["output"])["kspace"] for e in entries]
    assert (both[0] != both[1]).any()


def test_what_is_not_ours_is_overwritten_only_if_asked(tmp_path, rng):
    write_knee(tmp_path / "in" / "k.h5", rng)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "k.h5").write_text("mine")
    with pytest.raises(ValueError, match=r"out/k\.h5 exists and is none of"):
        measure(tmp_path)
    assert (tmp_path / "out" / "k.h5").read_text() == "mine"
    measure(tmp_path, overwrite=True)
    assert h5py.is_hdf5(tmp_path / "out" / "k.h5")


@pytest.mark.parametrize("writes", [jobs.hdf5, jobs])
def test_a_volume_interrupted_while_it_is_written_is_ours(
    tmp_path, rng, monkeypatch, writes
):
    """Before the file, or between the file and its note."""
    write_knee(tmp_path / "in" / "k.h5", rng)
    name = "write" if writes is jobs.hdf5 else "_source"
    with monkeypatch.context() as patched:
        patched.setattr(writes, name, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            measure(tmp_path)
    assert (tmp_path / "out").exists() == (writes is jobs)
    (entry,) = measure(tmp_path)["volumes"]
    assert entry["key"] != "unfinished" and entry["slices"] == 1


def test_own_masks_of_a_wider_field_reach_the_operator(tmp_path):
    """An object inside the prior's field explains k-space; a wider prior is refused."""
    size, columns = (64, 32), 48
    y, x = (np.arange(n) - n // 2 for n in (2 * size[0], columns))
    image = np.exp(-np.add.outer((y / 9) ** 2, (x / 5) ** 2)) * (1 + 0.3j)
    mask = (np.arange(columns) % 2 == 0) | (np.abs(x) < 6)
    scanner_files.write_fastmri(
        tmp_path / "k.h5", image[None], mask=mask, recon=(size[0], size[1])
    )
    prepare.prepare_measured(tmp_path, tmp_path / "out", SHARES, None, workers=1)
    config = defaults.reconstruction()
    config.data.path = str(tmp_path / "out" / "k.h5")
    config.task.kind = "mri_complex"
    with pytest.raises(ValueError, match=r"64x48, .* --config\.data\.wider_field"):
        factory.load_measurements(config, (*size, 2))
    config.data.wider_field = True
    found = factory.load_measurements(config, (*size, 2))
    middle = image[32:96, 8:40] / found.scale[0]
    explained = found.operator.forward(
        np.stack([middle.real, middle.imag], -1).astype("f4")
    )
    np.testing.assert_allclose(explained, found.measurement[0], atol=1e-4)
    with pytest.raises(ValueError, match="not larger than the k-space of 64x48"):
        factory.load_measurements(config, (64, 64, 2))
        factory.load_measurements(config, (64, 64, 2))


def test_every_output_has_a_manifest_of_its_own(tmp_path):
    names = ("k", "k.4x", "k.8x", "k.h5", "k.hdf5")
    assert len({prepare.manifest_path(tmp_path / name) for name in names}) == len(names)
