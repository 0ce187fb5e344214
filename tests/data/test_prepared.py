import pickle

import h5py
import numpy as np
import pytest

from mgdm_jax.data import pipelines, prepared


def slices(rng, n=3, size=8, *, is_complex=False, units="u"):
    images = rng.random((n, size, size)).astype(np.float32)
    if is_complex:
        images = (images * np.exp(1j * images)).astype(np.complex64)
    return prepared.Slices(
        images=images,
        label=["t1"] * n,
        position=np.arange(n) + 5,
        scale=np.full(n, 7.0),
        pixel_mm=0.5,
        units=units,
    )


def write_split(path, rng, **kind):
    """Write a file of a volume a split; return the slices of each."""
    made = {}
    for split in prepared.SPLITS:
        made[split] = slices(rng, **kind)
        prepared.write(path.with_name(split), made[split], split, f"{split}-1", split)
    parts = [path.with_name(split) for split in prepared.SPLITS]
    prepared.merge(path, parts, "test")
    return made


def test_merged_volumes_come_back(tmp_path, rng):
    path = tmp_path / "all.h5"
    made = write_split(path, rng)
    assert prepared.is_prepared(path)
    assert prepared.summary(path) == dict.fromkeys(prepared.SPLITS, (1, 3))
    for split, one in made.items():
        found = prepared.spread(path, split, 10)
        np.testing.assert_array_equal(found.images, one.images)
        np.testing.assert_array_equal(found.scale, np.full(3, 7))
        np.testing.assert_array_equal(found.pixel_mm, np.full(3, 0.5))
    with h5py.File(path) as file:
        assert list(file["volume"].asstr()[3:6]) == ["validation-1"] * 3
        np.testing.assert_array_equal(file["position"][:3], [5, 6, 7])
        assert file.attrs["units"] == "u" and file.attrs["source"] == "test"
        assert file["images"].chunks == (1, 8, 8)


def test_few_images_are_spread_evenly(tmp_path, rng):
    one = slices(rng, n=9)
    prepared.write(tmp_path / "a.h5", one, "s", "v", "test")
    found = prepared.spread(tmp_path / "a.h5", "test", 3).images
    np.testing.assert_array_equal(found, one.images[[0, 4, 8]])


def test_random_access_travels_to_another_process(tmp_path, rng):
    made = write_split(tmp_path / "all.h5", rng)
    images = prepared.Images(tmp_path / "all.h5", "test")
    np.testing.assert_array_equal(images[1], made["test"].images[1])
    again = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(again[2], made["test"].images[2])
    assert len(again) == 3


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"size": 9}, "one --size"),
        ({"is_complex": True}, "one --size"),
        ({"units": "v"}, "in v, not in u"),
    ],
)
def test_volumes_that_differ_are_not_merged(tmp_path, rng, other, message):
    for name, kind in (("a", {}), ("b", other)):
        prepared.write(tmp_path / name, slices(rng, **kind), name, name, "test")
    with pytest.raises(ValueError, match=message):
        prepared.merge(tmp_path / "all.h5", [tmp_path / "a", tmp_path / "b"], "test")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 4, 4), np.float32), "n ≥ 1"),
        (np.zeros((1, 4, 4)), "float64"),
        (np.full((1, 4, 4), -0.1, np.float32), "not negative"),
        (np.full((1, 4, 4), np.nan, np.float32), "finite"),
        (np.full((1, 4, 4), 1.1, np.float32), "exceed 1"),
        (np.full((1, 4, 4), 1 + 1j, np.complex64), "exceed 1"),
    ],
)
def test_images_out_of_range_are_refused(tmp_path, rng, images, message):
    one = slices(rng)
    wrong = prepared.Slices(images, ["x"], np.arange(1), np.ones(1), 1.0, one.units)
    with pytest.raises(ValueError, match=message):
        prepared.write(tmp_path / "a.h5", wrong, "s", "v", "test")
    assert not list(tmp_path.iterdir())


def test_a_split_that_is_not_there(tmp_path, rng):
    prepared.write(tmp_path / "a.h5", slices(rng), "s", "v", "test")
    with pytest.raises(ValueError, match="no slice of split 'train', it has test"):
        prepared.indices(tmp_path / "a.h5", "train")


def test_other_files_are_none_of_ours(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no")
    assert not prepared.is_prepared(tmp_path / "a.h5")
    assert not prepared.is_prepared(tmp_path / "b.h5")
    with pytest.raises(ValueError, match="no prepared images"):
        prepared.summary(tmp_path / "a.h5")


def test_training_draws_are_prepared_images(tmp_path, rng):
    path = str(tmp_path / "all.h5")
    made = write_split(tmp_path / "all.h5", rng)
    source = pipelines.PreparedSlices(path, "train", channels=1, seed=3)
    drawn = np.stack([source[i] for i in range(30)])[..., 0]
    matches = (drawn[:, None] == made["train"].images[None]).all((2, 3))
    assert matches.sum(1).tolist() == [1] * 30 and matches.any(0).all()
    np.testing.assert_array_equal(source[4], source[4])
    other = pipelines.PreparedSlices(path, "train", channels=1, seed=4)
    assert any((source[i] != other[i]).any() for i in range(5))
    assert repr(source) != repr(other)


def test_complex_draws_are_turned_by_one_phase(tmp_path, rng):
    path = str(tmp_path / "all.h5")
    made = write_split(tmp_path / "all.h5", rng, n=1, is_complex=True)
    source = pipelines.PreparedSlices(path, "train", channels=2, seed=3)
    turns = []
    for i in range(3):
        drawn = source[i] @ np.array([1, 1j])
        ratio = drawn / made["train"].images[0]
        np.testing.assert_allclose(ratio, ratio[0, 0], atol=1e-5)
        turns.append(np.angle(ratio[0, 0]))
    assert np.ptp(turns) > 0.1
    with pytest.raises(ValueError, match="holds complex images"):
        pipelines.PreparedSlices(path, "train", channels=1, seed=3)
