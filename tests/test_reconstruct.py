"""A scan of the user's own from arrays to files, and the summaries of its samples."""

import command_server
import h5py
import numpy as np
import pytest
import tiny

from mgdm_jax import defaults, factory, photons, posterior, reconstruct
from mgdm_jax.data import samples, scan_arrays
from mgdm_jax.operators import masks, radon
from mgdm_jax.reconstructing import outputs
from mgdm_jax.running import resumable


def kspace_of(images):
    """Return centred orthonormal k-space, straight from its formula."""
    shifted = np.fft.ifftshift(images, (-2, -1))
    return np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), (-2, -1))


@pytest.fixture
def scan(tmp_path):
    """Write one brain slice's k-space and mask; return their paths."""
    image = samples.load_volume("brain", "test", "colin27")[50]
    mask = masks.make_mask("equispaced", image.shape, 4, 0)
    np.save(tmp_path / "k.npy", (7.0 * kspace_of(image) * mask).astype(np.complex64))
    np.save(tmp_path / "m.npy", mask)
    return str(tmp_path / "k.npy"), str(tmp_path / "m.npy")


def config(method="ddnm"):
    made = defaults.reconstruction()
    made.method, made.sampler.n_steps = method, 2
    return made


def test_the_mask_is_where_kspace_is_not_zero(scan):
    kspace, mask = scan
    given = scan_arrays.mri_arrays(kspace, mask, None)
    found = scan_arrays.mri_arrays(kspace, None, None)
    np.testing.assert_array_equal(found.mask, given.mask)
    assert found.kspace.shape == (1, 120, 120)


def test_samples_and_their_summaries(scan, tmp_path):
    kspace, mask = scan
    made = config()
    prior = factory.load_prior(tiny.write_prior(tmp_path, 120, 2))
    contents = scan_arrays.mri_arrays(kspace, mask, None, scale=7.0)
    found, measured = reconstruct.reconstruct(contents, kspace, prior, made, 3)
    assert found.samples.shape == (3, 1, 120, 120, 2)
    np.testing.assert_allclose(found.mean, found.samples.mean(0), atol=1e-6)
    spread = np.linalg.norm(found.samples - found.mean, axis=-1)
    want = np.sqrt((spread**2).sum(0) / 2)
    np.testing.assert_allclose(found.std, want, atol=1e-5)
    assert found.std.max() > 1e-3 and not found.diverged.any()
    assert made.task.kind == "mri_complex" and made.task.acceleration == 4
    back = np.asarray(measured.operator.forward(found.mean[0]))
    np.testing.assert_allclose(back, measured.measurement[0], atol=1e-4)
    plan = outputs.plan(tmp_path / "out.npy", contents)
    outputs.write(plan, found, measured, "ddnm")
    written = np.load(tmp_path / "out.npy")
    assert written.shape == (1, 120, 120) and np.iscomplexobj(written)
    again = kspace_of(written[0]) * np.load(mask)
    np.testing.assert_allclose(again, np.load(kspace), atol=7e-3)


def test_stopped_it_goes_on_to_the_same_bits(scan, tmp_path, monkeypatch):
    kspace, mask = scan
    prior = factory.load_prior(tiny.write_prior(tmp_path, 120, 2))
    contents = scan_arrays.mri_arrays(kspace, mask, None, scale=7.0)
    unfinished, fill, filled = tmp_path / "out.npy.parts", resumable._fill, []

    def reconstructed(seed=0, folder=unfinished):
        made = config()
        made.sampler.seed, made.sampler.batch_size = seed, 1
        return reconstruct.reconstruct(contents, kspace, prior, made, 3, folder)[0]

    def until_interrupted(*args):
        filled.append(args[1])
        if len(filled) == 3:
            raise KeyboardInterrupt
        return fill(*args)

    monkeypatch.setattr(resumable, "_fill", until_interrupted)
    with (
        pytest.raises(KeyboardInterrupt, match="the same command goes on from there"),
        resumable.telling(unfinished, "the same command"),
    ):
        reconstructed()
    with pytest.raises(ValueError, match=r"sampler\.seed is 1, was 0; write to ano"):
        reconstructed(seed=1)
    found = reconstructed()
    assert filled == [range(0, 1), range(1, 2), range(2, 3), range(2, 3)]
    whole = reconstructed(folder=None)
    for one, other in zip(found[:-1], whole[:-1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_too_many_steps_are_refused_first(tmp_path, monkeypatch):
    monkeypatch.delattr(reconstruct, "measured")
    made = config()
    made.sampler.n_steps = 1001
    prior = factory.load_prior(tiny.write_prior(tmp_path, 32, 1))
    with pytest.raises(ValueError, match="n_steps must lie"):
        reconstruct.reconstruct(None, "k.npy", prior, made, 1)


def test_the_null_space_is_what_the_measurements_do_not_see(scan, tmp_path):
    kspace, mask = scan
    contents = scan_arrays.mri_arrays(kspace, mask, None, scale=7.0)
    measured = reconstruct.measured(contents, kspace, config(), (120, 120, 2))
    x = np.random.default_rng(0).normal(size=(1, 120, 120, 2)).astype(np.float32)
    unseen = posterior.unseen(measured, x)
    complex_ = unseen[0, ..., 0] + 1j * unseen[0, ..., 1]
    spectrum = kspace_of(complex_)
    sampled = np.load(mask) > 0
    assert np.abs(spectrum[..., sampled]).max() < 1e-4
    whole = kspace_of(x[0, ..., 0] + 1j * x[0, ..., 1])
    np.testing.assert_allclose(spectrum[~sampled], whole[~sampled], atol=1e-4)


@pytest.mark.parametrize("suffix", [".npy", ".h5", ".png"])
def test_the_command_writes_every_format_once(suffix, scan, tmp_path):
    kspace, mask = scan
    out = tmp_path / f"out{suffix}"
    prior = tiny.write_prior(tmp_path, 120, 2)
    words = [f"--prior={prior}", f"--kspace={kspace}", f"--mask={mask}"]
    words += [f"--out={out}", "--n_steps=2", "--n_samples=2", "--zeta=0.125"]
    done = command_server.run("reconstruct", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    assert "data residual" in done.out and "do not fit" not in done.out
    assert "zeta 0.125" in done.out and "(zeta as given" in done.out
    assert "1 slices, 1 coils, 120 x 120, " in done.err
    before = out.read_bytes()
    if suffix == ".h5":
        with h5py.File(out) as file:
            assert file["samples"].shape == (2, 1, 120, 120)
            assert set(file) >= {"reconstruction", "std", "null_space", "baseline"}
        done = command_server.run("reconstruct", *words, cwd=tmp_path)
        assert done.code == 2 and "exists" in done.err.splitlines()[-1]
    assert out.read_bytes() == before
    names = {p.name for p in tmp_path.iterdir() if "out" in p.name}
    assert names == {out.name, "out.report.html"}
    page = (tmp_path / "out.report.html").read_text()
    assert "mgdm, mean of 2" in page and prior in page and kspace in page
    for map_ in ("std-0", "null_space-0", "Estimate of mgdm, mean of 2 at step 2"):
        assert map_ in page


def test_a_transposed_mask_is_told_of_at_the_end(scan, tmp_path):
    kspace, mask = scan
    np.save(tmp_path / "t.npy", np.load(mask).T)
    words = [f"--prior={tiny.write_prior(tmp_path, 120, 2)}", f"--kspace={kspace}"]
    words += ["--mask=t.npy", "--out=out.npy", "--n-steps=2"]
    done = command_server.run("reconstruct", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    told = "are both of one scan, in one order?"
    assert any(
        line.startswith("WARNING: ") and told in line for line in done.out.splitlines()
    )
    assert told in (tmp_path / "out.report.html").read_text()


def test_a_sinogram_and_its_angles(tmp_path):
    angles = np.array([0.0, 60.0, 120.0])
    np.save(tmp_path / "a.npy", angles[None])
    np.save(tmp_path / "s.npy", np.random.default_rng(0).uniform(size=(3, 32)))
    contents = scan_arrays.ct_arrays(str(tmp_path / "s.npy"), str(tmp_path / "a.npy"))
    made = config()
    measured = reconstruct.measured(contents, "s.npy", made, (32, 32))
    assert made.task.kind == "ct" and made.task.n_views == 3
    assert measured.measurement.shape == (1, 3, 32)
    with pytest.raises(ValueError, match="is sinogram transposed"):
        np.save(tmp_path / "s.npy", np.ones((32, 3)))
        scan_arrays.ct_arrays(str(tmp_path / "s.npy"), str(tmp_path / "a.npy"))


@pytest.mark.parametrize("scale", [0.0, -2.0, float("nan")])
def test_a_scale_that_is_none_is_refused(scale, scan):
    with pytest.raises(ValueError, match="one positive number"):
        scan_arrays.mri_arrays(*scan, None, scale=scale)


def test_the_null_space_is_the_same_for_every_method(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", np.arange(5) * 36.0)
    np.save(tmp_path / "s.npy", rng.uniform(size=(5, 32)))
    contents = scan_arrays.ct_arrays(str(tmp_path / "s.npy"), str(tmp_path / "a.npy"))
    x = rng.uniform(size=(1, 32, 32)).astype(np.float32)
    maps = []
    for method in ("ddnm", "dps"):
        measured = reconstruct.measured(contents, "s.npy", config(method), (32, 32))
        maps.append(posterior.unseen(measured, x))
    np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize("channels", [2, 3])
def test_a_prior_of_other_channels_is_refused(channels, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5) * 36.0)
    np.save(tmp_path / "s.npy", np.ones((5, 32)))
    contents = scan_arrays.ct_arrays(str(tmp_path / "s.npy"), str(tmp_path / "a.npy"))
    with pytest.raises(ValueError, match=f"got one of {channels}"):
        reconstruct.measured(contents, "s.npy", config(), (32, 32, channels))


def test_photons_are_of_sinograms_and_weigh_their_rays(tmp_path):
    disc = np.hypot(*(np.indices((32, 32)) - 16)) < 10
    projector, scale = radon.parallel_beam(np.arange(5) * 36.0, 32), 0.1
    sinogram = np.asarray(projector.forward(0.5 * disc.astype("f4")))
    np.save(tmp_path / "s.npy", sinogram[None] * float(projector.scale) * scale)
    np.save(tmp_path / "a.npy", np.arange(5) * 36.0)
    prior = tiny.write_prior(tmp_path, 32, 1)
    words = ["--prior", prior, "--sinogram=s.npy", "--angles=a.npy", "--n_steps=2"]
    words += [f"--scale={scale}", "--noreport", "--overwrite", "--out=o.npy"]
    words += ["--zeta=0.1", "--lam=0.01", "--rho=0.1", "--eta=0.5"]
    spread = photons.deviation(sinogram * float(projector.scale) * scale, 1e3)
    sigma = np.sqrt(np.mean(np.square(spread))) / (scale * float(projector.scale))
    images = []
    for more in (f"--noise_std={sigma}", "--photons=1e3"):
        done = command_server.run("reconstruct", *words, more, cwd=tmp_path)
        assert done.code == 0, done.err
        images.append(np.load(tmp_path / "o.npy"))
    assert np.abs(images[1] - images[0]).max() > 1e-3 * scale
    words = ["--prior", prior, "--kspace=s.npy", "--photons=1e3", "--out=p.npy"]
    done = command_server.run("reconstruct", *words, cwd=tmp_path)
    assert done.code == 2 and "give --kspace" in done.err


def test_measurements_that_do_not_fit_get_a_warning(tmp_path, rng):
    """Noise as large as the sinogram, of which nobody said a word."""
    np.save(tmp_path / "s.npy", 4.0 + 4.0 * rng.normal(size=(1, 5, 32)))
    np.save(tmp_path / "a.npy", np.arange(5) * 36.0)
    prior = tiny.write_prior(tmp_path, 32, 1)
    words = ["--prior", prior, "--sinogram=s.npy", "--angles=a.npy", "--n_steps=2"]
    done = command_server.run("reconstruct", *words, "--out=o.npy", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "WARNING: Images reach from" in done.out and "noise_std" in done.out
