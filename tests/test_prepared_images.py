"""Prepared images as other commands use them: simulated measurements, training."""

import csv

import h5py
import jax
import numpy as np
import pytest
import tiny

from mgdm_jax import defaults, factory, priors, reconstruction, results, run, train
from mgdm_jax.data import prepared
from mgdm_jax.operators import projection
from mgdm_jax.report import finished
from mgdm_jax.training import sources
from mgdm_jax.training.defaults import prior_training, shorten


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
    assert found.facts["data"] == f"{path}: test (3 of 4 slices)"
    assert list(found.whose["subject"]) == ["test"] * 3
    assert not found.volumes.any()


def test_low_dose_takes_the_files_pixels(tmp_path, rng):
    """Half the pixel stops half as much, whose noise is another."""
    path = prepared_file(tmp_path, rng)
    config = defaults.reconstruction()
    config.data.path, config.data.n_images = str(path), 2
    config.task.kind, config.task.n_views, config.task.photons = "ct", 5, 1e4
    config.method = "ddrm"  # which knows one deviation for all rays
    with h5py.File(path, "a") as file:
        file["pixel_mm"][...] = 20.0
    coarse = factory.load_measurements(config, (16, 16)).noise_std
    with h5py.File(path, "a") as file:
        file["pixel_mm"][...] = 10.0
    fine = factory.load_measurements(config, (16, 16)).noise_std
    assert fine / coarse != pytest.approx(1.0, rel=0.05)
    with h5py.File(path, "a") as file:  # of two subjects, each its own
        file["pixel_mm"][:] = np.where(np.arange(len(file["pixel_mm"])) % 4 < 2, 20, 10)
    both = factory.load_measurements(config, (16, 16)).noise_std
    assert min(fine, coarse) < both < max(fine, coarse)


def test_a_run_tells_volumes_apart(tmp_path, rng, monkeypatch):
    parts = []
    for name, scale in (("one", 100.0), ("two", 3e4)):
        images = rng.random((2, 16, 16)).astype(np.float32)
        facts = (["t1"] * 2, np.array([3, 7]), np.full(2, scale), 0.8, "u")
        parts.append(tmp_path / f"{name}.part")
        prepared.write(parts[-1], prepared.Slices(images, *facts), name, "v", "test")
    prepared.merge(tmp_path / "images.h5", parts, "test")
    config = defaults.reconstruction()
    config.method, config.sampler.n_steps = "ddnm", 2
    config.data.path = str(tmp_path / "images.h5")
    config.prior.path = tiny.write_prior(tmp_path, 16)
    monkeypatch.setattr(reconstruction, "CHUNK", 3)
    facts = run.run(config, tmp_path / "out")
    assert facts["n_volumes"] == 2
    assert "as fastMRI, the mean of 2 volumes" in results.table(facts)
    with (tmp_path / "out/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [(row["subject"], row["label"], row["position"]) for row in rows]
    assert names == [(s, "t1", p) for s in ("one", "two") for p in ("3", "7")]
    with h5py.File(tmp_path / "out/reconstructions.h5") as file:
        x, y = file["reference"][()], file["reconstruction"][()]
    errors = [((x[i] - y[i]) ** 2).mean() / x[i].max() ** 2 for i in ([0, 1], [2, 3])]
    want = np.mean(-10 * np.log10(errors))
    assert facts["conventions"]["volume-max"]["psnr"] == pytest.approx(want, abs=1e-3)
    by_slice = np.mean([float(row["psnr"]) for row in rows])
    assert by_slice == pytest.approx(facts["psnr_mean"], abs=1e-3)
    assert set(finished.read(tmp_path / "out").scores) == set(rows[0]) - {
        *prepared.WHOSE
    }


def test_images_of_another_size_are_refused(tmp_path, rng):
    config = defaults.reconstruction()
    config.data.path = str(prepared_file(tmp_path, rng))
    with pytest.raises(ValueError, match="images of 16x16, the prior is for 32x32"):
        factory.load_measurements(config, (32, 32))


def test_training_from_prepared_images(tmp_path, rng):
    config = shorten(prior_training())
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
    config = shorten(prior_training())
    config.data.path = str(prepared_file(tmp_path, rng))
    with pytest.raises(ValueError, match="16x16, the prior is for 120x120"):
        sources.make_source(config)
    config.data.path, config.data.embedded = None, False
    with pytest.raises(ValueError, match=r"give --config\.data\.path"):
        sources.make_source(config)


def test_low_dose_noise_is_beer_s_in_millimetres(tmp_path, rng):
    path = prepared_file(tmp_path, rng)
    config = defaults.reconstruction()
    config.data.path, config.data.n_images = str(path), 2
    config.task.kind, config.task.n_views, config.task.photons = "ct", 5, 1e5
    config.method = "ddrm"  # which knows one deviation for all rays
    with h5py.File(path, "a") as file:
        file["pixel_mm"][...] = 3.0
    found = factory.load_measurements(config, (16, 16))
    matrix = projection.matrix(np.deg2rad(np.arange(5) * 36.0), 16)
    images = found.reference.reshape(2, -1).astype(float)
    mm = 3.0 * (matrix @ images.T)  # millimetres of value 1 along each ray
    survive = 1e5 * np.exp(-2.048 * 0.0193 * mm)
    deviation = 1 / np.sqrt(survive) / (2.048 * 0.0193 * 3.0)  # pixel units
    want = np.sqrt((deviation**2).mean())
    assert found.noise_std * float(found.operator.scale) == pytest.approx(
        want, rel=0.01
    )


def test_a_subject_of_the_file_is_taken_alone(tmp_path, rng):
    path = prepared_file(tmp_path, rng)
    config = defaults.reconstruction()
    config.data.path, config.data.subject = str(path), "test"
    found = factory.load_measurements(config, (16, 16))
    assert found.facts["data"] == f"{path}: test/test"  # all of them
    config.data.n_images = 2
    found = factory.load_measurements(config, (16, 16))
    assert found.facts["data"] == f"{path}: test/test (2 of 4 slices)"
    config.data.subject = "train"
    with pytest.raises(ValueError, match="has train in split train, not in test"):
        factory.load_measurements(config, (16, 16))
    config.data.subject = "nobody"
    with pytest.raises(
        ValueError, match=r"nobody named nobody, .*; there are test, tr"
    ):
        factory.load_measurements(config, (16, 16))


@pytest.mark.parametrize(
    ("units", "kind", "held"),
    [
        (prepared.HOUNSFIELD, "mri_real", "CT"),
        (prepared.MAGNITUDES, "ct", "MRI"),
        (prepared.COMPLEX, "ct", "MRI"),
    ],
)
def test_images_of_another_modality_are_refused(tmp_path, rng, units, kind, held):
    path = prepared_file(tmp_path, rng)
    with h5py.File(path, "a") as file:
        file.attrs["units"] = units
    config = defaults.reconstruction()
    config.data.path, config.task.kind = str(path), kind
    with pytest.raises(ValueError, match=f"holds images of {held}"):
        factory.load_measurements(config, (16, 16))
    config.task.kind = "inpainting"
    factory.load_measurements(config, (16, 16))
    training = prior_training()
    training.data.path = str(path)
    training.data.modality = "chest" if kind == "ct" else "brain"
    with pytest.raises(ValueError, match=f"holds images of {held}"):
        sources.make_source(training)


def test_a_training_without_validation_says_so(tmp_path, rng, caplog):
    path = prepared_file(tmp_path, rng)
    with h5py.File(path, "a") as file:
        file["split"][...] = "train"
    config = prior_training()
    config.data.path = str(path)
    assert set(sources.monitored(config)) == {"train"}
    assert "has no slice of split validation" in caplog.text


@pytest.mark.parametrize(("sizes", "told"), [((5,), True), ((2,), False), ((), False)])
def test_attention_at_no_level_is_told(caplog, sizes, told):
    config = shorten(prior_training())
    config.network.update(tiny.spec(image_size=16).network)
    config.network.attention_resolutions = sizes
    train.build(config)
    assert ("is the size of no level" in caplog.text) == told
