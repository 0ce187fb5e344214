"""Which tuned numbers a run takes."""

import pytest

from mgdm_jax import defaults, hyperparameters, methods, priors, tuned


def config():
    made = defaults.reconstruction()
    made.tuned.mgdm = {
        "4": (1.0, 0.1, 0.0, 0.8),
        "8": (2.0, 0.2, 0.0, 0.9),
        "4_noisy": (3.0, 0.3, 0.0, 1.0),
    }
    return made


@pytest.mark.parametrize(
    ("acceleration", "noise_std", "zeta"),
    [(4.0, 0.0, 1.0), (5.0, 0.0, 1.0), (24.0, 0.0, 2.0), (8.0, 0.1, 3.0)],
)
def test_the_nearest_level_of_its_kind(acceleration, noise_std, zeta):
    made = config()
    made.task.acceleration, made.task.noise_std = acceleration, noise_std
    assert hyperparameters.resolve(made).zeta == zeta


def test_photons_are_noise():
    made = config()
    made.task.photons = 1e5
    assert hyperparameters.resolve(made).zeta == 3.0


def test_noise_without_numbers_of_its_own_takes_the_quiet_ones():
    made = config()
    quiet = config()
    for one in (made, quiet):
        one.method, one.tuned.dps = "dps", {"4": (1.0, 0.0, 0.0, 1.0)}
    made.task.noise_std = 0.1
    assert hyperparameters.resolve(made) == hyperparameters.resolve(quiet)
    assert hyperparameters.origin(made).endswith("no noise")
    assert "no noise" not in hyperparameters.origin(quiet)


def test_given_numbers_win():
    made = config()
    made.guidance.zeta, made.sampler.eta = 0.0, 0.5
    numbers = hyperparameters.resolve(made)
    assert (numbers.zeta, numbers.lam) == (0.0, pytest.approx(0.1))
    assert numbers.eta == 0.5


def test_chosen_numbers_join_the_starting_values():
    made = defaults.reconstruction()
    defaults.set_tuned(made, {"8": {"mgdm": (9.0, 0.0, 0.0, 1.0), "new": (1.0,) * 4}})
    made.task.acceleration = 8.0
    assert hyperparameters.resolve(made).zeta == 9.0
    assert hyperparameters.origin(made) == ""
    made.task.acceleration = 4.0
    assert hyperparameters.resolve(made).zeta == 9.0
    assert hyperparameters.origin(made) == "level 8"
    line = "zeta 9, lam 0, rho 0, eta 1 (chosen on the sample's validation subject"
    assert hyperparameters.told(made) == f"{line}, for level 8)"
    made.method = "new"
    assert hyperparameters.resolve(made).lam == 1.0
    made.method = "dps"
    assert hyperparameters.resolve(made).zeta == 3.0
    assert hyperparameters.origin(made) == "starting values"
    assert hyperparameters.STARTING in hyperparameters.told(made)
    made.guidance.zeta = 1.0
    assert "(zeta as given, others too, or starting values" in hyperparameters.told(
        made
    )


@pytest.mark.parametrize("noise_std", [0.0, 0.01])
def test_starting_values_never_stand_in_for_a_chosen_level(noise_std):
    """A few views are nearer to nothing chosen for MRI than to other views."""
    made = defaults.reconstruction()
    defaults.set_tuned(made, {"23_noisy": {"mgdm": (9.0, 0.0, 0.0, 1.0)}})
    made.task.kind, made.task.n_views, made.task.noise_std = "ct", 4, noise_std
    assert hyperparameters.resolve(made).zeta == 9.0
    noise = "" if noise_std else "noise_std 0.01"
    assert hyperparameters.origin(made) == ", ".join(filter(None, ["level 23", noise]))
    made.task.n_views = 23
    assert hyperparameters.origin(made) == noise


@pytest.mark.parametrize(
    ("kind", "changes", "want"),
    [
        ("mri_real", {"mask": "equispaced"}, ""),
        ("mri_real", {"mask": "gaussian2d"}, "mask equispaced"),
        ("mri_complex", {"mask": "gaussian1d"}, ""),
        ("mri_complex", {"mask": "radial", "acceleration": 5.0}, "level 4, mask gau"),
        ("ct", {"noise_std": 0.01}, ""),
        ("ct", {"noise_std": 0.1}, "noise_std 0.01"),
        ("ct", {"photons": 1e4}, "noise_std 0.01"),
        ("ct", {"noise_std": 0.1, "n_views": 5}, "level 4, noise_std 0.01"),
        ("mri_complex", {"mask": "gaussian1d", "noise_std": 0.02}, ""),
        ("mri_complex", {"mask": "gaussian1d", "noise_std": 0.2}, "noise_std 0.02"),
        ("mri_complex", {"mask": "gaussian1d", "noise_std": 0.011}, "noise_std 0.02"),
        ("mri_complex", {"mask": "gaussian1d", "noise_std": 0.01}, "no noise"),
        ("mri_real", {"mask": "equispaced", "noise_std": 0.2}, ""),
    ],
)
def test_numbers_chosen_for_another_task_are_told(kind, changes, want):
    made = config()
    made.task.update({"kind": kind, "n_views": 4} | changes)
    made.prior.path = tuned.PRIORS[kind]
    assert hyperparameters.origin(made).startswith(want)
    assert bool(hyperparameters.origin(made)) == bool(want)
    assert ("subject, for " in hyperparameters.told(made)) == bool(want)


def test_the_nearest_level_is_so_by_ratio():
    made = config()
    made.task.acceleration = 5.8
    assert hyperparameters.resolve(made).zeta == 2.0


@pytest.mark.parametrize(
    ("method", "changes", "want"),
    [
        ("mgdm", {}, ""),
        ("mgdm", {"prior.path": "weights/brain_t1_held_back.safetensors"}, ""),
        ("mgdm", {"prior.path": "prior.safetensors"}, ", for prior brain_t1"),
        ("mgdm", {"sampler.n_steps": 20}, ", for 100 steps"),
        (
            "mgdm",
            {"task.acceleration": 6.0, "prior.path": "chest_ct", "sampler.n_steps": 20},
            ", for level 4, prior brain_t1, 100 steps",
        ),
        ("score_mri", {"sampler.n_steps": 1000}, ""),
        ("score_mri", {}, ", for 1000 steps"),
        ("csgm_langevin", {"sampler.n_steps": 333}, ""),
        ("dps", {"sampler.n_steps": 1000}, ", for 100 steps"),
    ],
)
def test_numbers_chosen_for_another_prior_or_other_steps_are_told(
    method, changes, want
):
    made = defaults.reconstruction()
    defaults.set_tuned(made, {"4": tuned.MRI_REAL["4"]})
    made.method = method
    made.update_from_flattened_dict(changes)
    assert hyperparameters.told(made).endswith(f" validation subject{want})")


def test_numbers_that_a_method_does_not_use_are_not_told():
    made = defaults.reconstruction()
    defaults.set_tuned(made, {"4": tuned.MRI_REAL["4"]})
    made.method, made.guidance.zeta = "ddnm", 3.0
    assert hyperparameters.told(made).startswith("eta 1 (chosen on the sample's")
    made.sampler.eta = 0.5
    assert hyperparameters.told(made) == "eta 0.5 (as given)"


def test_methods_of_other_steps_and_priors_of_kinds_exist():
    assert set(tuned.STEPS) <= set(methods.METHODS)
    assert set(tuned.PRIORS) == set(tuned.BY_KIND)
    assert set(tuned.PRIORS.values()) == set(priors.shipped())
