"""The numbers of a prior's card, with a tiny prior; and one card from end to end."""

import csv
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from test_configs import ROOT, load

from experiments import prior_card, prior_card_denoising, prior_card_numbers
from mgdm_jax import factory, priors, schedules
from mgdm_jax.training import steps
from mgdm_jax.types import Denoised


@pytest.fixture
def blobs():
    """Return 6 smooth images [6, 40, 40] in [0, 1] that differ from each other."""
    y, x = np.indices((40, 40))
    centres = np.random.default_rng(0).uniform(14, 26, (6, 3, 2))
    images = [
        sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 20) for a, b in three)
        for three in centres
    ]
    return np.clip(np.stack(images), 0, 1).astype(np.float32)


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("noise_scale", [0.5, 1.0])
@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.2])
def test_level_of_is_the_nearest_time(name, noise_scale, sigma):
    table = schedules.discrete_vp(name)
    t, found = prior_card_denoising.level_of(table, sigma, noise_scale)
    sigmas = [noise_scale * ((1 - a) / a) ** 0.5 for a in table]
    assert found == pytest.approx(sigmas[t])
    assert sigmas[t - 1] < sigma < sigmas[t + 1]
    assert all(abs(np.log(s / sigma)) >= abs(np.log(found / sigma)) for s in sigmas)


def test_level_of_returns_each_time_for_its_own_sigma():
    table = schedules.discrete_vp("linear")
    for t in (0, 1, 250, 999):
        sigma = 0.5 * np.sqrt((1 - table[t]) / table[t])
        assert prior_card_denoising.level_of(table, sigma, 0.5)[0] == t
    with pytest.raises(ValueError, match="positive"):
        prior_card_denoising.level_of(table, 0.0, 0.5)


def test_denoise_once_starts_the_process_at_t(blobs):
    table = schedules.discrete_vp("linear")
    t, sigma = prior_card_denoising.level_of(table, 0.1, 0.5)
    data = prior_card_denoising.Noisy.draw(blobs, sigma, tiny.spec(40), seed=0)
    assert np.std(data.noisy - blobs) == pytest.approx(sigma, rel=0.02)

    def denoise(params, x_t, time, alpha_bar):
        # √ᾱ (x + σ n) is the process at t exactly when ε has the prior's scale.
        del params, time
        eps = (x_t / jnp.sqrt(alpha_bar) - blobs[0]) * jnp.sqrt(alpha_bar)
        return Denoised(eps / jnp.sqrt(1.0 - alpha_bar), eps)

    prior = factory.Prior(denoise, None, table, (40, 40), 0.5, 0.0)
    eps = prior_card_denoising.denoise_once(prior, data.noisy[:1], t)
    assert eps.std() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("channels", [1, 2])
def test_compare_tunes_what_beats_the_noise(blobs, channels, tmp_path):
    prior = factory.load_prior(tiny.write_prior(tmp_path, 40, channels))
    images = blobs if channels == 1 else np.stack([blobs, -blobs], -1) / 2
    spec = tiny.spec(40, channels)
    level = prior_card_denoising.compare(prior, spec, images[:2], images[2:4], 0.1)
    assert level.images.shape == images[2:4].shape
    assert level.sigma == pytest.approx(0.1, rel=0.02)
    for name, rival in level.rivals.items():
        assert rival.unseen.mean() > level.noisy.mean() + 2, name
        assert rival.seen.mean() <= level.rivals[level.best].seen.mean()
    np.testing.assert_allclose(
        level.lead, level.unseen - level.rivals[level.best].unseen
    )


def test_tune_finds_the_best_of_a_scan(blobs):
    data = prior_card_denoising.Noisy.draw(blobs[:2], 0.1, tiny.spec(40), seed=0)
    denoiser = prior_card_denoising.total_variation

    def mean_psnr(strength):
        estimate = prior_card_denoising.run_classical(denoiser, data, strength)
        return prior_card_denoising.psnr(data.clean, estimate).mean()

    scan = [mean_psnr(s) for s in np.geomspace(0.1, 5, 15)]
    assert mean_psnr(prior_card_denoising.tune(denoiser, data)) > max(scan) - 0.05


def test_nearest_finds_a_planted_slice(blobs):
    rng = np.random.default_rng(1)
    bank = np.concatenate([blobs, rng.uniform(size=(2, 40, 40)), np.zeros((1, 40, 40))])
    moved = np.roll(bank[3, :, ::-1], (2, -1), (0, 1))
    queries = np.stack([bank[4], 0.7 * moved + 0.1, bank[6], 1 - bank[7]])
    near = prior_card_numbers.nearest(queries, bank.astype(np.float32), max_shift=2)
    assert near.index[:3].tolist() == [4, 3, 6]
    assert near.flipped[:3].tolist() == [False, True, False]
    assert near.shift[:3].tolist() == [[0, 0], [-2, 1], [0, 0]]
    np.testing.assert_allclose(near.distance[:3], 0, atol=2e-3)
    assert near.distance[3] > 0.8  # a negative is no copy


def test_nearest_distance_is_the_residual_of_least_squares(blobs):
    near = prior_card_numbers.nearest(blobs[:1], blobs[1:2], max_shift=0)
    match = blobs[1][:, ::-1] if near.flipped[0] else blobs[1]
    design = np.stack([match.ravel(), np.ones(1600)], 1).astype(np.float64)
    target = blobs[0].ravel().astype(np.float64)
    residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    expected = np.linalg.norm(residual) / np.linalg.norm(target - target.mean())
    assert near.distance[0] == pytest.approx(expected, abs=1e-5)


def write_metrics(path, steps, validated):
    with path.open("w", newline="") as file:
        columns = ["step", "loss", "seconds", *prior_card_numbers.COLUMNS]
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for step in steps:
            row = {"step": step, "loss": 0.1, "seconds": 1.0}
            if step in validated:
                row |= {c: step / 1000 for c in prior_card_numbers.COLUMNS}
            writer.writerow(row)


def test_milestones_are_the_quarters(tmp_path):
    path = tmp_path / "metrics.csv"
    write_metrics(path, range(10, 401, 10), {50, 100, 200, 300, 400})
    rows = prior_card_numbers.milestones(path)
    assert [row["step"] for row in rows] == [100, 200, 300, 400]
    assert [row["share"] for row in rows] == [0.25, 0.5, 0.75, 1.0]
    assert [row["val_t25"] for row in rows] == [0.1, 0.2, 0.3, 0.4]
    assert [row["train_t750"] for row in rows] == [0.1, 0.2, 0.3, 0.4]


def test_milestones_take_the_nearest_row_once_and_the_later_of_two(tmp_path):
    path = tmp_path / "metrics.csv"
    write_metrics(path, [100, 200, 200, 300], {200})
    rows = prior_card_numbers.milestones(path)
    assert [row["step"] for row in rows] == [200]
    assert rows[0]["share"] == pytest.approx(2 / 3)


def test_hours_go_on_after_a_resumption(tmp_path):
    path = tmp_path / "metrics.csv"
    assert prior_card_numbers.hours(path) is None
    path.write_text("step,seconds\n100,1000\n200,1800\n200,900\n300,5400\n")
    assert prior_card_numbers.hours(path) == pytest.approx(2.0)


def test_milestones_need_the_columns(tmp_path):
    path = tmp_path / "metrics.csv"
    assert prior_card_numbers.milestones(path) == []
    path.write_text("step,loss,seconds,eps_t25\n500,0.1,1.0,0.2\n")
    assert prior_card_numbers.milestones(path) == []


def settings(folder, **changes):
    values = {
        "prior": tiny.write_prior(folder),
        "log": folder / "metrics.csv",
        "out": folder / "out",
        "pictures": folder / "pictures",
        "sigmas": (0.1,),
        "n_slices": 2,
        "n_samples": 2,
        "n_steps": 2,
    }
    return prior_card.Settings(**(values | changes))


def test_a_card_is_written(tmp_path):
    write_metrics(tmp_path / "metrics.csv", [2, 4], {2, 4})
    config = load(ROOT / "priors" / "brain_t1.py", "smoke")
    path = prior_card.write(config, settings(tmp_path))
    text = path.read_text()
    assert (
        "step 4 (100%) | held back" in text and "Held-back subject itk_mprage" in text
    )
    assert "BSD-2-Clause" in text and "not\na medical device" in text
    for what in ("denoising", "nearest"):
        assert f"(../pictures/tiny-{what}.png)" in text
        assert (tmp_path / "pictures" / f"tiny-{what}.png").is_file()


def test_a_card_never_passes_a_seen_or_a_test_subject_off_as_held_back(tmp_path):
    config = load(ROOT / "priors" / "brain_t1.py", "smoke")
    card = prior_card.read(config, settings(tmp_path, test=True))
    assert card.who == "TEST subject colin27"
    for held_back in ("s1", ""):
        config.data.held_back = held_back
        with pytest.raises(ValueError, match="held_back"):
            prior_card.read(config, settings(tmp_path))


def test_a_card_says_what_the_shipped_weights_are_beyond_it():
    shipped = priors.load("brain_t1")[0]
    assert prior_card.went_on(shipped) == ""
    before = dataclasses.replace(shipped, training={"subjects": "s1", "steps": 3})
    assert f"for\n{shipped.training['steps']:,} steps" in prior_card.went_on(before)
    assert prior_card.went_on(tiny.spec()) == ""


def test_losses_of_a_network_that_says_nothing(tmp_path, blobs):
    spec = tiny.spec(40)
    prior = factory.load_prior(tiny.write_prior(tmp_path, 40))  # v = 0: untrained
    values = prior_card_numbers.eps_losses(spec, prior.params, blobs)
    x = 2 * blobs[..., None].astype(np.float64) - 1
    noise = np.asarray(jax.random.normal(jax.random.key(0), x.shape), np.float64)
    for t, value in zip(steps.LEVELS, values, strict=True):
        a = prior.alpha_bar[t]
        eps = np.sqrt(1 - a) * (np.sqrt(a) * x + np.sqrt(1 - a) * noise)
        assert value == pytest.approx(np.mean((eps - noise) ** 2), rel=1e-4)
