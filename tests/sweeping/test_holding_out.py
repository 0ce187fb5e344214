"""Measurements split in two: nothing lost, nothing shared, nothing to be guessed."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from helpers import random_image

from mgdm_jax import defaults, measurements
from mgdm_jax.measurements import Measurements
from mgdm_jax.operators import fourier, inpainting, linalg, masks, radon, sense
from mgdm_jax.sweeping import holding_out

SIZE = (24, 32)


def columns(acceleration=4):
    mask = masks.make_mask("equispaced", SIZE, acceleration, seed=0)
    return np.asarray(fourier.centred_to_corner_mask(mask), np.float32)


def measured(operator, y):
    return Measurements(operator, y, 0.1, None, np.ones(len(y)), None, {})


@pytest.fixture
def config():
    return defaults.reconstruction()


@pytest.mark.parametrize("is_real", [False, True])
def test_whole_columns_outside_the_centre_are_held_out(is_real):
    mask = columns()
    held = holding_out.held_samples(mask, is_real=is_real)
    assert (held == held[:1]).all() and 0 < held[0].sum() < mask[0].sum() / 2
    assert not (held * (1 - mask)).any()
    assert not held[:, 0].any()  # the centre, in corner order
    if is_real:  # no kept column is the conjugate of one held out
        kept = mask - held
        mirrored = np.roll(held[:, ::-1], 1, 1)
        assert not (kept * mirrored).any()
    again = holding_out.held_samples(mask, is_real=is_real)
    np.testing.assert_array_equal(held, again)


def test_samples_of_a_mask_without_columns_are_held_out():
    mask = np.zeros(SIZE, np.float32)
    mask.flat[np.random.default_rng(0).choice(mask.size, 300, replace=False)] = 1
    mask[:3, :3] = mask[-2:, :3] = mask[:3, -2:] = mask[-2:, -2:] = 1
    held = holding_out.held_samples(mask, is_real=False)
    outside = mask.sum() - 25
    assert held.sum() == pytest.approx(holding_out.SHARE * outside, rel=0.1)
    assert not held[:3, :3].any() and not (held * (1 - mask)).any()


@pytest.mark.parametrize("size", [(120, 120), (30, 45)])
@pytest.mark.parametrize("name", ["equispaced", "gaussian2d", "radial"])
def test_of_real_images_no_more_is_held_out_than_of_complex_ones(name, size):
    """Mirrors are among the share, not on top of it."""
    mask = masks.make_mask(name, size, 4, seed=0)
    mask = np.asarray(fourier.centred_to_corner_mask(mask), np.float32)
    real, complex_ = (
        holding_out.held_samples(mask, is_real=is_real) for is_real in (True, False)
    )
    lines = size[0] if name == "equispaced" else 1
    most = max(complex_.sum(), 2 * lines)  # a line and its mirror, at the least
    assert complex_.sum() - 2 * lines <= real.sum() <= most and real.any()
    assert not (masks.mirrored(real) * (mask - real)).any()


def test_lines_are_whole_along_whatever_they_run():
    """Phase encoding along rows, and echoes of which a part was read."""
    mask = columns()
    held = holding_out.held_samples(mask, is_real=False)
    rows = holding_out.held_samples(mask.T, is_real=False)
    np.testing.assert_array_equal(rows, held.T)
    read = np.arange(SIZE[0]) < 20
    partial = mask * np.asarray(fourier.centred_to_corner_mask(read[:, None]))
    np.testing.assert_array_equal(
        holding_out.held_samples(partial, is_real=False), held * partial
    )


def test_a_centre_alone_holds_nothing_out():
    mask = np.zeros(SIZE, np.float32)
    mask[:, :3] = mask[:, -2:] = 1
    with pytest.raises(ValueError, match="0 lines outside the centre"):
        holding_out.held_samples(mask, is_real=True)
    with pytest.raises(ValueError, match="one view"):
        holding_out.held_views(1)


@pytest.mark.parametrize("per_image", [False, True])
def test_both_parts_of_coils_are_measurements_of_the_image(per_image, config):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, *SIZE)) + 1j * rng.normal(size=(2, *SIZE))
    operator = sense.with_row_spectrum(sense.sense(columns(), maps))
    x = random_image(operator, jax.random.key(1))
    y = operator.forward(x)
    operators = [operator] * 2 if per_image else operator
    given = measured(operators, np.stack([y, y]))
    if per_image:
        prepare = functools.partial(measurements.with_spectrum, config=config)
        given = dataclasses.replace(given, prepare=prepare)
    parts = holding_out.split(given, config)
    for part in parts:
        problem = part.problem(np.array([0, 1]))
        assert len(part) == 2 and problem.noise_std == pytest.approx(0.1)
        found = part.operator[0] if per_image else part.operator
        np.testing.assert_allclose(found.forward(x), part.measurement[1], atol=1e-6)
    kept, held = parts
    np.testing.assert_array_equal(kept.measurement + held.measurement, [y, y])
    prepared = kept.prepare(kept.operator[0]) if per_image else kept.operator
    assert prepared.has_spectrum
    assert not held.prepare(held.operator[0] if per_image else found).has_spectrum


def test_both_parts_of_views_are_sinograms_of_the_image(config):
    config.task.kind = "ct"
    operator = radon.parallel_beam(np.arange(9) * 20.0, 16)
    x = random_image(operator, jax.random.key(1))
    y = operator.forward(x)[None]
    parts = holding_out.split(measured(operator, y), config)
    assert [p.measurement.shape[1] for p in parts] == [7, 2]
    for part in parts:
        found = part.operator.forward(x)
        np.testing.assert_allclose(found, part.measurement[0], atol=1e-5)
        # σ_y and y are in the same units.
        ratio = np.linalg.norm(part.measurement) / part.noise_std
        rays = np.linalg.norm(np.asarray(y)[:, held_of(part)]) / 0.1
        assert ratio == pytest.approx(rays, rel=1e-5)
    assert parts[0].operator.has_spectrum


def test_both_parts_of_weighed_views_are_weighed(config):
    config.task.kind = "ct"
    plain = radon.parallel_beam(np.arange(9) * 20.0, 16)
    weight = np.random.default_rng(0).uniform(0.3, 1, (2, 9, 16)).astype(np.float32)
    x = random_image(plain, jax.random.key(1))
    y = np.stack(2 * [np.asarray(plain.forward(x))])
    sigma = np.array([0.1, 0.2])
    given = dataclasses.replace(measured(plain, y), weight=weight, noise_std=sigma)
    parts = holding_out.split(given, config)
    assert [p.measurement.shape[1] for p in parts] == [7, 2]
    for part in parts:
        one, held = part.single(1), held_of(part)
        np.testing.assert_allclose(one.operator.forward(x), one.measurement, atol=1e-5)
        norm = linalg.operator_norm(one.operator, jax.random.key(0))
        assert float(norm) == pytest.approx(1, rel=1e-3)
        # In units of their noise both are what they were.
        want = weight[1, held] * y[1, held] / 0.2
        got = np.asarray(one.measurement) / float(one.noise_std)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def held_of(part):
    held = holding_out.held_views(9)
    return held if held.sum() == part.measurement.shape[1] else ~held


def test_other_operators_are_refused(config):
    operator = inpainting.inpainting(np.ones((4, 4)))
    with pytest.raises(ValueError, match="MRI or CT only"):
        holding_out.split(measured(operator, np.zeros((1, 4, 4))), config)
