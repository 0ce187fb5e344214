"""Files of one scan in either order of k-space make the same problem."""

import h5py
import jax
import numpy as np
import operator_cases
import pytest
from test_configs import ROOT, load
from test_reconstruct import kspace_of

from mgdm_jax import defaults, factory, photons, scans, simulate
from mgdm_jax.data import samples
from mgdm_jax.operators import coils, radon

SIZE = (9, 12)


@pytest.mark.parametrize("n_coils", [1, 3])
def test_dc_in_the_corner_or_in_the_middle(n_coils, tmp_path, rng):
    """Odd and even sides, a mask without symmetry, two slices."""
    images = rng.uniform(0.5, 1, (2, *SIZE)) * np.exp(1j * rng.uniform(0, 1, SIZE))
    maps = coils.birdcage_sensitivities(SIZE, n_coils) if n_coils > 1 else None
    seen = images if maps is None else images[:, None] * maps
    corner = operator_cases.random_mask(SIZE)
    orders = {
        True: (kspace_of(seen), np.fft.fftshift(corner)),
        False: (np.fft.fft2(seen, norm="ortho"), corner),
    }
    config = load(ROOT / "mri_fastmri.py")
    made = []
    for centered, (kspace, mask) in orders.items():
        path = tmp_path / f"{centered}.h5"
        with h5py.File(path, "w") as file:
            file["kspace"], file["mask"] = (kspace * mask).astype("c8"), mask
            if maps is not None:
                file["sensitivity_maps"] = maps.astype("c8")
            file.attrs["centered"] = centered
        config.data.path = str(path)
        made.append(factory.load_measurements(config, (*SIZE, 2)))
    middle, other = made
    np.testing.assert_array_equal(other.operator.mask, corner)
    problems = (jax.tree.leaves(m.problem(np.arange(2))) for m in made)
    for a, b in zip(*problems, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(middle.scale, other.scale, rtol=1e-5)
    want = np.stack([images.real, images.imag], -1).astype(np.float32)
    again = jax.vmap(other.operator.forward)(want / other.scale[:, None, None, None])
    np.testing.assert_allclose(again, other.measurement, atol=1e-5)


@pytest.mark.parametrize(
    ("zeroed", "mask", "odd"),
    [
        ([0, 1, 2], [1] * 12, False),  # padded columns
        ([], [1] * 6 + [0] * 6, False),  # all of k-space, and a mask for it
        ([0, 1, 2, 3], [1] * 4 + [0] * 4 + [1] * 4, True),
        ([], [1] * 12, False),
    ],
)
def test_a_mask_that_contradicts_its_kspace_is_told(
    zeroed, mask, odd, tmp_path, rng, caplog
):
    kspace = kspace_of(rng.uniform(0.5, 1, (1, *SIZE)))
    kspace[..., zeroed] = 0
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["kspace"], file["mask"] = kspace.astype("c8"), np.float32(mask)
    config = load(ROOT / "mri_fastmri.py")
    config.data.path = str(path)
    made = factory.load_measurements(config, (*SIZE, 2))
    told = "are both of one scan, in one order?"
    assert (told in caplog.text) == odd
    assert (told in " ".join(made.facts.get("doubts", []))) == odd


@pytest.mark.parametrize(("scale", "dark"), [(1.0, False), (0.2, True)])
def test_a_sinogram_in_other_units_is_told(scale, dark, tmp_path, caplog):
    operator = radon.parallel_beam(np.arange(0, 180, 10.0), 16)
    water = np.full((16, 16), 0.5, np.float32)
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        sinogram = np.asarray(operator.forward(water)) * float(operator.scale)
        file["sinogram"], file["angles_deg"] = (
            scale * sinogram[None],
            np.arange(18) * 10,
        )
    config = load(ROOT / "ct_lidc.py")
    config.data.path = str(path)
    made = factory.load_measurements(config, (16, 16))
    assert ("water is 0.5" in caplog.text) == dark == bool(made.facts.get("doubts"))


@pytest.mark.parametrize("kind", ["mri", "ct"])
def test_a_scale_is_judged_by_more_than_the_first_slice(kind, tmp_path, rng):
    """The ends of a volume are near empty."""
    images = rng.uniform(0.5, 1, (3, 32, 32)) * [[[1e-3]], [[1.0]], [[0.1]]]
    path = tmp_path / "scan.h5"
    config = load(ROOT / ("ct_lidc.py" if kind == "ct" else "mri_brats.py"))
    config.data.path = str(path)
    with h5py.File(path, "w") as file:
        if kind == "ct":
            angles = np.arange(6) * 30.0
            project = jax.vmap(radon.parallel_beam(angles, 32).forward)
            scale = float(radon.parallel_beam(angles, 32).scale)
            file["sinogram"] = scale * np.asarray(project(images.astype("f4")))
            file["angles_deg"] = angles
        else:
            file["kspace"], file["mask"] = kspace_of(images).astype("c8"), np.ones(32)
        file.attrs["scale"] = 1.0
    made = factory.load_measurements(config, (32, 32))
    np.testing.assert_array_equal(made.scale, np.ones(3))
    with h5py.File(path, "a") as file:
        file.attrs["scale"] = 1e-3
    with pytest.raises(ValueError, match="give the scale of these data"):
        factory.load_measurements(config, (32, 32))


def test_a_kind_of_which_no_file_is_read_is_refused(tmp_path):
    config = defaults.reconstruction()
    config.task.kind, config.data.path = "deblurring", str(tmp_path / "a.h5")
    with pytest.raises(ValueError, match="no file of measurements is read for task"):
        scans.read(config, (16, 16))


@pytest.mark.parametrize("method", ["mgdm", "ddrm"])
def test_photons_of_a_scan_are_those_of_the_same_scan_simulated(method, tmp_path):
    """Sinograms of attenuation in a file against the simulation that they come from."""
    config = load(ROOT / "ct_lidc.py", "smoke")
    config.task.n_views, config.task.photons, config.method = 4, 1e4, method
    made = simulate.simulate(config, (160, 160))
    pixel = samples.spacing_mm("chest", config.data.split, config.data.subject)[1]
    scale = photons.PER_UNIT * pixel
    path = tmp_path / "scan.h5"
    plain = radon.parallel_beam(np.arange(4) * 45.0, 160)
    with h5py.File(path, "w") as file:
        sinogram = np.asarray(made.measurement) * float(plain.scale) * scale
        file["sinogram"] = sinogram
        file["angles_deg"], file.attrs["scale"] = np.arange(4) * 45.0, scale
    config.data.path = str(path)
    read = factory.load_measurements(config, (160, 160))
    assert read.noise_std == pytest.approx(made.noise_std, rel=1e-3)
    np.testing.assert_allclose(read.measurement, made.measurement, rtol=1e-3, atol=1e-5)
    assert (read.weight is not None) == (method == "mgdm")
    if method == "mgdm":
        np.testing.assert_allclose(read.weight, made.weight, rtol=1e-3)
    told = {"photons": 1e4, "weighted": method == "mgdm"}
    assert told.items() <= read.facts.items() and read.facts["noise_std"] > 0
    config.task.photons = 1.0
    with pytest.raises(ValueError, match="none would survive on many rays"):
        factory.load_measurements(config, (160, 160))
    config.task.photons = 1e4
    for change in ({"noise_std": 0.1}, {}):
        config.task.update(change)
        with h5py.File(path, "a") as file:
            file.attrs["scale"] = scale if change else 1.0
        with pytest.raises(ValueError, match="sinograms of attenuation") as caught:
            factory.load_measurements(config, (160, 160))
        assert "\n" not in str(caught.value)
        config.task.noise_std = 0.0
