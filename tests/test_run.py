"""The command from configuration to files, with a prior of a few weights."""

import json

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from mgdm_jax import factory, measurements, results, run
from mgdm_jax.data import samples
from mgdm_jax.operators import fourier, masks
from mgdm_jax.report import finished, page

FILES = {
    "metrics.json",
    "metrics.csv",
    "reconstructions.h5",
    "panel.png",
    "report.html",
    "config.json",
    "environment.json",
}
FIELDS = {
    *("method", "data", "n_images", "psnr_mean", "psnr_std", "ssim_mean", "ssim_std"),
    *("baseline_psnr_mean", "baseline_ssim_mean", "nfe", "seconds", "convention"),
    *("conventions", "effective_acceleration"),
}


def smoke(name, tmp_path, image_size=120, channels=1):
    config = load(ROOT / f"{name}.py", "smoke")
    config.sampler.n_steps = 2
    config.tuned.mgdm = {"any": (0.1, 0.1, 0.01, 0.85)}
    config.prior.path = tiny.write_prior(tmp_path, image_size, channels)
    return config


@pytest.mark.parametrize(
    ("name", "channels", "dtype"),
    [("mri_brats", 1, "float32"), ("mri_fastmri", 2, "bfloat16")],
)
def test_smoke(name, channels, dtype, tmp_path):
    config = smoke(name, tmp_path, channels=channels)
    config.prior.dtype = dtype
    given = config.to_json()
    facts = run.run(config, tmp_path / "out")
    assert config.to_json() == given
    assert {p.name for p in (tmp_path / "out").iterdir()} == FILES
    assert {*results.FILES, "metrics.json"} == FILES
    stored = json.loads((tmp_path / "out/metrics.json").read_text())
    assert stored == json.loads(json.dumps(facts))
    assert stored.keys() >= FIELDS
    assert stored["nfe"] == 2 and stored["n_images"] == 2
    assert stored["effective_acceleration"] <= stored["nominal_acceleration"]
    table = stored["conventions"]
    assert list(table) == ["volume-max", "slice-max", "range-1", "min-max"]
    assert all(np.isfinite(list(row.values())).all() for row in table.values())
    same = table[stored["convention"]]
    assert same["psnr"] == pytest.approx(stored["psnr_mean"], abs=1e-4)
    assert same["ssim_uniform7"] == pytest.approx(stored["ssim_mean"], abs=1e-5)
    assert same["nmse"] == pytest.approx(stored["nmse_mean"], rel=1e-4)
    with h5py.File(tmp_path / "out/reconstructions.h5") as file:
        assert file["reconstruction"].shape == (2, 120, 120)
        assert np.isfinite(file["reconstruction"][()]).all()
        assert file["steps/data_residual"].shape == (2, 2) and "std" not in file
        assert file["strip/x0_hat"].shape == (2, 120, 120)
        assert file["null_space"][()].any()
    report = (tmp_path / "out/report.html").read_text()
    assert report == page.render([finished.read(tmp_path / "out")])
    assert f"<td>{stored['psnr_mean']:.2f}</td>" in report


def test_further_samples_tell_how_far_they_lie_apart(tmp_path):
    config = smoke("mri_brats", tmp_path)
    run.run(config, tmp_path / "one")
    config.sampler.n_samples = 2
    facts = run.run(config, tmp_path / "two")
    assert facts["n_samples"] == 2
    paths = [tmp_path / name / "reconstructions.h5" for name in ("one", "two")]
    with h5py.File(paths[0]) as one, h5py.File(paths[1]) as two:
        for name in ("reconstruction", "strip/x0_hat"):
            np.testing.assert_allclose(one[name][()], two[name][()], atol=1e-5)
        assert two["std"][()].max() > 1e-3
    assert "Deviation of samples" in (tmp_path / "two/report.html").read_text()


def test_the_shipped_ct_solves_its_proximal_step(tmp_path):
    """At 23 views, with the shipped prior and numbers; the gap is of the worst step."""
    config = load(ROOT / "ct_lidc.py", "smoke")
    config.data.n_images = 1
    facts = run.run(config, tmp_path / "out")
    assert "lam 1.1e-05" in facts["numbers"] and 0 < facts["prox_gap_max"] < 1e-4
    assert facts.keys() >= FIELDS and facts["n_views"] == 23
    assert facts["effective_acceleration"] == round(np.pi / 2 * 160 / 23, 3)
    assert "acceleration: 23 views, effective 10.927" in results.table(facts)
    with h5py.File(tmp_path / "out/reconstructions.h5") as file:
        corners = file["reconstruction"][()][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any()


def test_two_dimensional_masks_of_several_coils_need_no_flag(tmp_path):
    config = smoke("mri_fastmri", tmp_path, channels=2)
    config.task.n_coils, config.task.mask = 2, "gaussian2d"
    facts = run.run(config, tmp_path / "out")
    assert 0 < facts["prox_gap_max"] < 1e-4


def test_a_diverged_image_is_blank_and_counted(tmp_path, capsys):
    config = smoke("mri_brats", tmp_path)
    config.prior.clip_denoised = False
    config.guidance.zeta = 1e30
    config.sampler.n_steps = 4
    run.main(config, str(tmp_path / "out"))
    out = capsys.readouterr().out
    assert "WARNING: 2 images diverged" in out
    facts = json.loads((tmp_path / "out/metrics.json").read_text())
    assert facts["n_diverged"] == 2 and facts["data_residual_mean"] == 1
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    for label, values in facts["conventions"].items():
        printed = [float(cell) for cell in rows[label]]
        np.testing.assert_allclose(printed, list(values.values()), atol=6e-3)
    with h5py.File(tmp_path / "out/reconstructions.h5") as file:
        assert not file["reconstruction"][()].any()
        assert file["diverged"][()].all()


def test_batch_size_changes_nothing(tmp_path):
    config = smoke("mri_brats", tmp_path)
    config.data.n_images = 3
    means = []
    for size in (1, 2):
        config.sampler.batch_size = size
        means.append(run.run(config, tmp_path / f"out{size}")["psnr_mean"])
    np.testing.assert_allclose(*means, rtol=1e-4)


def write_scan(path, images, mask, scale=None):
    """Write fastMRI's convention, straight from its formula."""
    shifted = np.fft.ifftshift(images, (-2, -1))
    kspace = np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), (-2, -1))
    with h5py.File(path, "w") as file:
        file["kspace"] = (kspace * mask).astype(np.complex64)
        file["mask"] = mask
        file["reference"] = images
        if scale:
            file.attrs["scale"] = scale


def test_a_file_equals_the_sample_it_was_made_from(tmp_path):
    """The user's k-space, in fastMRI's convention and units of its own."""
    config = smoke("mri_brats", tmp_path)
    volume = samples.load_volume("brain", "test", "colin27")[[20, 50]]
    mask = masks.make_mask("equispaced", (120, 120), 4, 0)
    write_scan(tmp_path / "scan.h5", 37.0 * volume, mask, scale=37.0)
    config.data.path = str(tmp_path / "scan.h5")
    config.tuned.mgdm = {"4": (0.1, 0.1, 0.01, 0.85), "8": (0.2, 0.1, 0.01, 0.85)}
    config.task.acceleration = 8.0
    measured = factory.load_measurements(config, (120, 120))
    operator = fourier.masked_fourier(fourier.centred_to_corner_mask(mask), (120, 120))
    want = operator.forward(jnp.asarray(volume[1]))
    np.testing.assert_allclose(measured.measurement[1], want, atol=2e-5)
    np.testing.assert_allclose(measured.reference, volume, atol=1e-5)
    zeta = run.run(config, tmp_path / "out")["guidance"]["zeta"]
    assert zeta == pytest.approx(0.1)  # for the file's acceleration
    with h5py.File(tmp_path / "out/reconstructions.h5") as file:
        np.testing.assert_allclose(file["reference"][()], 37 * volume, rtol=1e-4)


def test_odd_sizes_and_maps_of_every_slice(tmp_path):
    """The mask's facts do not depend on its order; spectra are made when wanted."""
    size, n_coils = 21, 2
    mask = masks.make_mask("equispaced", (size, size), 4, 0)
    normal = np.random.default_rng(0).normal
    maps = normal(size=(2, n_coils, size, size)) + 1j
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = (mask * normal(size=maps.shape)).astype(np.complex64)
        file["mask"], file["sensitivity_maps"] = mask, maps.astype(np.complex64)
    config = load(ROOT / "mri_fastmri.py")
    config.data.path = str(tmp_path / "scan.h5")
    for method, spectrum in (("mgdm", True), ("dps", False)):
        config.method = method
        measured = factory.load_measurements(config, (size, size, 2))
        problem = measured.problem(np.array([1, 0]))
        assert problem.operator.has_spectrum == spectrum
        want = maps[1] / np.linalg.norm(maps[1], axis=0)
        np.testing.assert_allclose(problem.operator.sensitivities[0], want, atol=1e-5)
    for real in (True, False):
        facts = measurements.mask_facts(mask, real_image=real)
        name = "effective_acceleration"
        assert facts[name] == round(masks.effective_acceleration(mask, real), 3)
    assert measured.facts[name] == facts[name]


def test_estimated_scale_brings_magnitudes_below_one(tmp_path):
    config = smoke("mri_brats", tmp_path)
    volume = samples.load_volume("brain", "test", "colin27")[[50]]
    mask = masks.make_mask("equispaced", (120, 120), 4, 0)
    write_scan(tmp_path / "scan.h5", 500.0 * volume, mask)
    config.data.path = str(tmp_path / "scan.h5")
    measured = factory.load_measurements(config, (120, 120))
    assert 100 < measured.scale[0] < 1000
    assert measured.facts["scale"].startswith("estimated")


def test_a_sinogram_of_scikit_image(tmp_path):
    from skimage.transform import radon as skimage_radon

    config = smoke("ct_lidc", tmp_path, image_size=160)
    image = samples.load_volume("chest", "test", "lung2")[30]
    angles = np.array([0.0, 60.0, 120.0])
    y, x = np.mgrid[:160, :160] - 80
    outside = x**2 + y**2 > 80**2
    image = np.where(outside, 0, image)
    sinogram = skimage_radon(image, angles, circle=True).T
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["sinogram"], file["angles_deg"] = 7 * sinogram[None], angles
        file["reference"] = 7 * np.where(outside, 1.0, image - 0.1)[None]
        file.attrs["scale"] = 7.0
    config.data.path = str(tmp_path / "scan.h5")
    measured = factory.load_measurements(config, (160, 160))
    want = np.where(outside, 0, image - 0.1)[None]
    assert want.min() < 0
    np.testing.assert_allclose(measured.reference, want, rtol=1e-6)
    back = measured.in_file_units(measured.reference)
    np.testing.assert_allclose(back, 7 * want, rtol=1e-6)
    again = measured.operator.forward(jnp.asarray(image))
    np.testing.assert_allclose(again, measured.measurement[0], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "method must be one of"),
        ({"guidance.zeta": -1.0}, "guidance.zeta must be at least 0"),
        ({"guidance.proximal": "magic"}, "guidance.proximal must be"),
        ({"method": "ddnm_plus", "guidance.proximal": "cg"}, "at auto"),
        ({"task.mask": "magic"}, "magic"),
        ({"task.kind": "CT"}, "task.kind must be one of"),
        ({"task.kind": "mri_complex"}, "needs a prior of 2 channels"),
        ({"task.n_coils": 8}, "needs task.kind=mri_complex"),
        ({"data.subject": "nobody"}, "nobody"),
        ({"data.path": "absent.h5"}, "absent.h5"),
        ({"data.path": "mine.h5", "task.photons": 1e5}, "photons are CT's"),
        ({"data.path": "mine.h5", "task.kind": "deblurring"}, "is simulated from"),
        ({"prior.path": "absent"}, "no prior 'absent'"),
        ({"sampler.time_grid": "magic"}, "time_grid must be"),
        ({"sampler.n_steps": 0}, "n_steps must be at least 1"),
        ({"sampler.n_steps": 1001}, "n_steps must lie"),
        ({"task.noise_std": float("nan")}, "noise_std must be at least 0"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(change, message, tmp_path):
    config = smoke("mri_brats", tmp_path)
    config.update_from_flattened_dict(change)
    with pytest.raises(ValueError, match=message) as caught:
        run.run(config, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_prior_of_another_size_is_refused_with_both_sizes(tmp_path):
    config = smoke("mri_brats", tmp_path, image_size=64)
    with pytest.raises(ValueError, match=r"120x120.*64x64"):
        run.run(config, tmp_path / "out")


def test_a_gradient_that_weighs_nothing_is_not_built(tmp_path, monkeypatch):
    config = smoke("mri_brats", tmp_path)
    config.guidance.rho = 0.0
    built, make = [], factory.make

    def recorded(prior, config, n_kept=0):
        built.append(config.method)
        if n_kept:
            raise ValueError("enough")
        return make(prior, config)

    monkeypatch.setattr(factory, "make", recorded)
    with pytest.raises(ValueError, match="enough"):
        run.run(config, tmp_path / "out")
    assert (built[-1], config.method) == ("mgdm_no_r", "mgdm")
