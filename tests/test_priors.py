"""Prior files: round trip, refusals, and starting one prior from another."""

import dataclasses

import jax
import numpy as np
import pytest
import safetensors.numpy
import tiny

from mgdm_jax import priors
from mgdm_jax.networks import unet


def tree():
    """Blocks are numbered by integers, as in the network's parameters; 10 after 9."""
    rng = np.random.default_rng(0)
    blocks = {i: {"kernel": rng.normal(size=(2, i + 1))} for i in (0, 9, 10)}
    return jax.tree.map(np.float32, {"blocks": blocks, "bias": rng.normal(size=3)})


def test_round_trip(tmp_path):
    params = tree()
    path = tmp_path / "new" / "prior.safetensors"
    priors.save(path, tiny.spec(), params)
    spec, again = priors.load(path)
    want = jax.tree.map(lambda v: np.float32(np.float16(v)), params)
    assert jax.tree.structure(again) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(want), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)
    assert unet.UNetConfig.from_fields(spec.network) == unet.UNetConfig.from_fields(
        tiny.spec().network
    )
    rest = {"network": None}
    assert dataclasses.replace(spec, **rest) == dataclasses.replace(tiny.spec(), **rest)


@pytest.mark.parametrize(("channels", "shape"), [(1, (120, 120)), (2, (120, 120, 2))])
def test_image_shape(channels, shape):
    assert tiny.spec(120, channels).image_shape == shape


def test_saving_replaces_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "prior.safetensors"
    priors.save(path, tiny.spec(), tree())
    before = path.read_bytes()

    def killed_half_way(tensors, filename, metadata):
        filename.write_bytes(before[: len(before) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(safetensors.numpy, "save_file", killed_half_way)
    with pytest.raises(KeyboardInterrupt):
        priors.save(path, tiny.spec(), {"other": np.zeros(3)})
    assert path.read_bytes() == before
    monkeypatch.undo()
    priors.save(path, tiny.spec(), tree())
    assert list(tmp_path.iterdir()) == [path]


def test_shipped_priors_fit_their_networks():
    assert "brain_t1" in priors.shipped()
    for name in priors.shipped():
        spec, params = priors.load(name)
        config = unet.UNetConfig.from_fields(spec.network)
        want = unet.abstract_params(config)
        assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, want)


def test_unknown_names_list_the_shipped():
    with pytest.raises(ValueError, match=r"no prior 'liver'.*brain_t1"):
        priors.load("liver")


def test_absent_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no prior .*absent\.safetensors"):
        priors.load(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("content", [b"", b"not a safetensors file", b"\x80" * 64])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.safetensors is no readable"):
        priors.load(path)


def test_foreign_weights_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    safetensors.numpy.save_file({"w": np.zeros(3)}, path)
    with pytest.raises(ValueError, match="no mgdm_jax metadata"):
        priors.load(path)


def test_transfer_takes_equal_shapes_only():
    """A magnitude prior starts a complex one, whose first and last layers differ."""
    target = jax.tree.map(lambda v: v + 1, tree())
    target["blocks"][0]["kernel"] = np.full((3, 1), 7.0, np.float32)
    target["new"] = np.full(2, 8.0, np.float32)
    source = tree() | {"gone": np.zeros(4, np.float32)}
    got = priors.transfer(source, target)
    want = tree() | {"new": target["new"]}
    want["blocks"][0] = target["blocks"][0]
    assert jax.tree.structure(got) == jax.tree.structure(target)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_array_equal(a, b)
