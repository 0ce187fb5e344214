"""Prior files: round trip, refusals, and starting one prior from another."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import safetensors.numpy
import tiny

from mgdm_jax import factory, priors
from mgdm_jax.networks import unet


def tree():
    """Blocks are numbered by integers, as in the network's parameters; 10 after 9."""
    rng = np.random.default_rng(0)
    blocks = {i: {"kernel": rng.normal(size=(2, i + 1))} for i in (0, 9, 10)}
    return jax.tree.map(np.float32, {"blocks": blocks, "bias": rng.normal(size=3)})


def test_round_trip(tmp_path):
    network = unet.UNetConfig.from_fields(tiny.spec().network)
    params = jax.device_get(unet.initialise(network, jax.random.key(0)))
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
        assert priors.locate(name).stat().st_size < 8e6


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


def test_files_of_earlier_versions_are_read(tmp_path):
    path = tiny.write_prior(tmp_path, 16)
    tensors, metadata = priors.read(path)
    old = json.loads(metadata["mgdm_jax"])
    del old["n_train"], old["betas"]
    safetensors.numpy.save_file(tensors, path, {"mgdm_jax": json.dumps(old)})
    spec, _ = priors.load(path)
    assert (spec.n_train, spec.betas) == (1000, None)


def test_foreign_weights_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    safetensors.numpy.save_file({"w": np.zeros(3)}, path)
    with pytest.raises(ValueError, match="no mgdm_jax metadata"):
        priors.load(path)


def facts(**changes):
    """Return a tiny prior's facts but for the changes; None leaves one out."""
    changed = dataclasses.asdict(tiny.spec(16)) | changes
    return {name: value for name, value in changed.items() if value is not None}


def network(**changes):
    return facts(network=facts()["network"] | changes)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ([], "no JSON object"),
        ("{", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ({}, "lacks 'high'"),
        (facts(schedule=None), "lacks 'schedule'"),
        (facts(extra=1), "unknown 'extra'"),
        (facts(name=3), "name=3"),
        (facts(scale="2"), "scale='2'"),
        (facts(scale=0.0), "low, high, offset and scale"),
        (facts(low=float("nan")), "low, high, offset and scale"),
        (facts(prediction="zz"), "prediction must be eps or v or x0 or image, got"),
        (facts(n_train="9"), "n_train='9'"),
        (facts(betas=[0.1]), r"betas=\[0.1\]"),
        (facts(betas=[0.1, "1"]), "betas="),
        (facts(network={}), "the network lacks the field channel_mult"),
        (network(depth=3), "the network has an unknown field depth"),
        (network(image_size="16"), "image_size must be a whole number"),
        (network(image_size=17), "image_size 17 must be a multiple"),
        (network(model_channels=0), "model_channels must be a whole number"),
        (network(n_res_blocks=10**9), "tensors are too few"),
        (network(n_res_blocks=2), "lacks the tensor"),
        (network(n_classes=4), "lacks the tensor label_emb"),
        (network(model_channels=64), r"shape \(.*\), not \("),
        (network(channel_mult=[]), "channel_mult must name at least one level"),
        (network(channel_mult=["a"]), "channel_mult must be positive numbers"),
        (network(channel_mult=2), "channel_mult must be positive numbers"),
        (network(channel_mult=[0.1]), "a level of 3 channels"),
        (network(n_heads=5), "n_heads 5 does not divide"),
        (network(n_head_channels=0), "must be positive"),
        (network(scale_shift_norm=2), "scale_shift_norm must be true or false"),
    ],
)
def test_facts_that_make_no_prior_are_refused(metadata, message, tmp_path):
    path = tiny.write_prior(tmp_path, 16)
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    tensors, _ = priors.read(path)
    safetensors.numpy.save_file(tensors, path, metadata={"mgdm_jax": text})
    with pytest.raises(ValueError, match=message) as caught:
        priors.load(path)
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("out.1.bias"), r"lacks the tensor out\.1\.bias"),
        (lambda t: t.update(extra=np.zeros(1)), "a tensor too many, extra"),
        (lambda t: t.update({"out.1.bias.x": np.zeros(1)}), "too many, out"),
        (lambda t: t.update({"out.1.bias": np.zeros(9)}), r"bias has shape \(9,\)"),
        (lambda t: t.update({"out.1.bias": np.zeros(64, int)}), "bias is of I64"),
    ],
)
def test_weights_that_are_not_the_network_s_are_refused(change, message, tmp_path):
    path = tiny.write_prior(tmp_path, 16)
    tensors, metadata = priors.read(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path, metadata=metadata)
    with pytest.raises(ValueError, match=message) as caught:
        priors.load(path)
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


@pytest.mark.parametrize("worst", [np.nan, np.inf, 1e5])
def test_weights_that_half_precision_does_not_hold_are_not_written(worst, tmp_path):
    params = tree() | {"w": np.array([1.0, worst], np.float32)}
    with pytest.raises(ValueError, match="tensor w is not finite as float16"):
        priors.save(tmp_path / "p.safetensors", tiny.spec(), params)
    assert not [*tmp_path.iterdir()]


def test_its_network_is_built_once_and_its_weights_compile_nothing(tmp_path, caplog):
    path = tiny.write_prior(tmp_path, 32, 1)
    unet._abstract.cache_clear()
    with jax.log_compiles():
        factory.load_prior(path)
    assert unet._abstract.cache_info().misses == 1
    compiled = [r.message for r in caplog.records if "Compiling" in r.message]
    assert not [m for m in compiled if "stage" in m], compiled
