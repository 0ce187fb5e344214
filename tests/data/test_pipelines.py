import grain
import numpy as np
import pytest

from mgdm_jax.data import pipelines, plain_slices, samples


@pytest.fixture(scope="module")
def complex_brains() -> grain.IterDataset:
    source = pipelines.AugmentedSlices("brain", ("s1",), channels=2, seed=7)
    return pipelines.training_dataset(source, batch_size=3, prefetch=2)


@pytest.mark.parametrize(
    ("modality", "channels", "size"),
    [("brain", 1, 120), ("brain", 2, 120), ("chest", 1, 160)],
)
def test_batches_in_operator_units(modality, channels, size):
    subject = samples.subjects(modality, "train")[:1]
    source = pipelines.AugmentedSlices(modality, subject, channels=channels, seed=0)
    dataset = pipelines.training_dataset(source, batch_size=4)
    batch = next(iter(dataset))
    assert batch.shape == (4, size, size, channels) and batch.dtype == np.float32
    magnitude = np.sqrt((batch**2).sum(-1))
    assert 0.3 < magnitude.max() <= 1 + 1e-6
    assert (batch.min() < 0) == (channels == 2)


def test_state_resumes_bit_for_bit(complex_brains):
    iterator = iter(complex_brains)
    next(iterator), next(iterator)
    state = iterator.get_state()
    expected = [next(iterator) for _ in range(2)]
    resumed = iter(complex_brains)
    resumed.set_state(state)
    for batch in expected:
        np.testing.assert_array_equal(next(resumed), batch)


def test_parts_of_processes_are_the_batches_of_one():
    source = pipelines.AugmentedSlices("brain", ("s1",), channels=1, seed=7)

    def batches(**share):
        made = pipelines.training_dataset(source, batch_size=4, prefetch=2, **share)
        iterator = iter(made)
        return [next(iterator) for _ in range(3)]

    parts = [batches(process=i, n_processes=2) for i in range(2)]
    joined = [np.concatenate(pair) for pair in zip(*parts, strict=True)]
    np.testing.assert_array_equal(joined, batches())


def test_records_depend_on_seed_and_index_alone():
    def source(seed):
        return pipelines.AugmentedSlices("brain", ("s1",), channels=2, seed=seed)

    first, again, other = source(1), source(1), source(2)
    np.testing.assert_array_equal(first[5], again[5])
    assert (first[5] != first[6]).any() and (first[5] != other[5]).any()
    assert repr(first) == repr(again) != repr(other)


def test_validation_slices_are_the_volume():
    volume = samples.load_volume("chest", "train", "lung1")
    images = plain_slices.validation_slices("chest", "lung1", 5)
    assert images.shape == (5, 160, 160, 1) and images.dtype == np.float32
    for image in images[..., 0]:
        assert (volume == image).all((1, 2)).any()


def test_validation_phase_is_fixed_by_the_slice():
    few = plain_slices.validation_slices("brain", "s1", 2, channels=2)
    real = plain_slices.validation_slices("brain", "s1", 2)
    np.testing.assert_array_equal(
        few, plain_slices.validation_slices("brain", "s1", 2, channels=2)
    )
    np.testing.assert_allclose(np.sqrt((few**2).sum(-1)), real[..., 0], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("chest", ("lung1",), 2), r"channels of chest must be in \(1,\), got 2"),
        (("brain", (), 1), "at least one training volume"),
        (("brain", ("colin27",), 1), "train has no subject 'colin27'"),
    ],
)
def test_bad_streams_are_refused(call, message):
    modality, subjects, channels = call
    with pytest.raises(ValueError, match=message):
        pipelines.AugmentedSlices(modality, subjects, channels=channels, seed=0)


def test_too_many_validation_slices_are_refused():
    with pytest.raises(ValueError, match=r"n must lie in \[1, \d+\] for s1, got 999"):
        plain_slices.validation_slices("brain", "s1", 999)
