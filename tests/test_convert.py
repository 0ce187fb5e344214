"""Published checkpoints become ours one to one; what cannot is refused by name."""

import dataclasses
import importlib.util
import json
import pickle
import struct

import adm_names
import command_server
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from mgdm_jax import convert, factory, priors
from mgdm_jax.converting import foreign, infer, names, presets
from mgdm_jax.networks import unet

PRESETS = (
    "ffhq_10m",
    "openai_256",
    "openai_256_conditional",
    "aapm_256",
    "fastmri_knee_320",
)


def reduced(name, **changes):
    """Return a preset of an eighth of its width or less, on small images."""
    config = presets.preset(name)
    size = config.image_size // 2
    fields = {
        "model_channels": 32,
        "image_size": size,
        "attention_resolutions": tuple(r // 2 for r in config.attention_resolutions),
        "n_classes": min(config.n_classes, 10),
    }
    return dataclasses.replace(config, **(fields | changes))


VARIANTS = {name: reduced(name) for name in PRESETS} | {
    "plain": reduced("ffhq_10m", scale_shift_norm=False, resblock_updown=False)
}


def checkpoint(config, seed=0):
    """Return random tensors under the published names."""
    rng = np.random.default_rng(seed)
    shapes = adm_names.tensors(config).items()
    return {k: rng.normal(size=v).astype(np.float32) for k, v in shapes}


@pytest.mark.parametrize("name", PRESETS)
def test_names_and_shapes_at_full_size(name):
    config = presets.preset(name)
    theirs = {}
    for ours, leaf in priors.flatten(unet.abstract_params(config)).items():
        (found,) = names.adm(ours)
        theirs[found] = leaf.shape
    want = adm_names.tensors(config)
    assert theirs.keys() == want.keys()
    for found, shape in theirs.items():
        kernel = np.empty(want[found], np.float16)
        is_kernel = len(shape) > 1 and found != "label_emb.weight"
        ours = "x.kernel" if is_kernel else "x.bias"
        assert names.from_torch(ours, [kernel]).shape == shape


@pytest.mark.parametrize("name", VARIANTS)
def test_the_tensors_tell_how_the_network_is_built(name):
    config = VARIANTS[name]
    got = infer.adm_config(
        adm_names.tensors(config),
        image_size=config.image_size,
        new_attention_order=False,
    )
    assert unet.abstract_params(got) == unet.abstract_params(config)
    assert got.widths == config.widths
    levels = range(len(config.widths))
    assert [*map(got.attends, levels)] == [*map(config.attends, levels)]
    for field in ("scale_shift_norm", "resblock_updown", "n_classes", "out_channels"):
        assert getattr(got, field) == getattr(config, field)


def test_layouts():
    """OIHW becomes HWIO; out × in becomes in × out, and so does a 1-D convolution."""
    x = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7)
    assert names.from_torch("a.kernel", [x])[4, 6, 2, 1] == x[1, 2, 4, 6]
    assert names.from_torch("a.kernel", [x[:, :, 0, 0]])[2, 1] == x[1, 2, 0, 0]
    assert names.from_torch("a.kernel", [x[:, :, :1, 0]])[2, 1] == x[1, 2, 0, 0]
    both = names.from_torch("a.kernel", [x[:, :, 0, 0], x[:, :, 0, 1]])
    assert both.shape == (3, 4) and both[2, 3] == x[1, 2, 0, 1]


def write(tmp_path, tensors):
    path = tmp_path / "net.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return str(path)


def test_every_tensor_arrives_where_it_belongs(tmp_path):
    config = VARIANTS["plain"]
    tensors = checkpoint(config)
    network, params = convert.adm(write(tmp_path, tensors), image_size=128, n_heads=4)
    flat = priors.flatten(params)
    assert len(flat) == len(tensors)
    for ours, theirs in {
        "time_embed.1.kernel": tensors["time_embed.2.weight"].T,
        "input_blocks.2.0.conv.bias": tensors["input_blocks.2.0.op.bias"],
        "out.0.scale": tensors["out.0.weight"],
        "out.1.kernel": tensors["out.2.weight"].transpose(2, 3, 1, 0),
        "middle_block.1.qkv.kernel": tensors["middle_block.1.qkv.weight"][..., 0].T,
    }.items():
        np.testing.assert_array_equal(flat[ours], theirs)
    spec = convert.make_spec(network, "net")
    path = tmp_path / "prior.safetensors"
    priors.save(path, spec, params, dtype=np.float32)
    loaded, weights = priors.load(path)
    assert loaded.image_shape == (128, 128, 3) and loaded.scale == 2.0
    again = priors.flatten(weights)
    assert all(np.array_equal(flat[k], again[k]) for k in flat)


def test_a_converted_prior_denoises(tmp_path, key):
    config = dataclasses.replace(reduced("aapm_256"), image_size=32)
    tensors = checkpoint(config)
    network, params = convert.adm(
        write(tmp_path, tensors), image_size=32, n_head_channels=64
    )
    spec = convert.make_spec(network, "aapm")
    prior = factory.build_prior(spec, params)
    x = jax.random.normal(key, prior.image_shape)
    times = jnp.int32(500), jnp.float32(prior.alpha_bar[500])
    out = jax.jit(prior.denoise)(params, x, *times)
    assert out.eps.shape == (32, 32)  # the variance half is dropped


def broken(change):
    tensors = checkpoint(VARIANTS["plain"])
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("out.0.bias"), r"lacks out\.0\.bias\."),
        (lambda t: t.update(extra=np.zeros(1)), "too many, extra"),
        (lambda t: t.update({"out.0.bias": np.zeros(3)}), r"out\.0\.bias .* \(3,\)"),
        (lambda t: t.pop("time_embed.0.weight"), r"no tensor time_embed\.0\.weight"),
        (lambda t: t["out.2.bias"].fill(np.nan), r"net\..*: out\.2\.bias .* holds NaN"),
        (lambda t: t.clear(), "no tensor"),
        (lambda t: t.pop("input_blocks.1.0.emb_layers.1.weight"), "no tensor input"),
        *(
            (lambda t, n=name, s=shape: t.update({n: np.zeros(s)}), "expected . axes")
            for name in (
                "time_embed.0.weight",
                "input_blocks.0.0.weight",
                "input_blocks.1.0.emb_layers.1.weight",
                "input_blocks.3.0.out_layers.0.weight",
                "out.2.weight",
                "label_emb.weight",
            )
            for shape in ((), (0, 0, 0, 0), (1, 1, 1))
        ),
        (lambda t: t.pop("input_blocks.3.0.out_layers.0.weight"), "no tensor input"),
        (lambda t: t.update({"input_blocks.99.0.weight": np.zeros(1)}), "do not make"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(change, message, tmp_path):
    path = write(tmp_path, broken(change))
    with pytest.raises(ValueError, match=message) as caught:
        convert.adm(path, image_size=128, n_heads=4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["F8_E4M3", "BF16", "I32", "C64"])
def test_tensors_of_other_numbers_are_refused_by_name(kind, tmp_path):
    path = tmp_path / "net.safetensors"
    size = {"F8_E4M3": 1, "BF16": 2, "I32": 4, "C64": 8}[kind]
    header = {"a.b": {"dtype": kind, "shape": [3], "data_offsets": [0, 3 * size]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(3 * size))
    with pytest.raises(ValueError, match=rf"a\.b is of {kind}; save it as float32"):
        convert.adm(str(path), preset="ffhq_10m")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "tells neither image size nor heads"),
        ({"image_size": 64}, "tells neither"),
        ({"image_size": -32, "n_heads": 4}, "tells neither"),
        ({"image_size": 64, "n_heads": 4, "n_head_channels": 64}, "tells neither"),
        ({"preset": "ffhq_10m", "image_size": 64}, "a preset tells all"),
        ({"image_size": 128, "n_heads": 5}, "5 does not divide"),
        ({"image_size": 128, "n_head_channels": 48}, "48 does not divide"),
    ],
)
def test_what_no_tensor_tells_must_be_given(given, message, tmp_path):
    path = write(tmp_path, checkpoint(VARIANTS["plain"]))
    with pytest.raises(ValueError, match=message):
        convert.adm(path, **given)


def test_a_conditional_prior_is_refused():
    network = VARIANTS["openai_256_conditional"]
    spec = convert.make_spec(network, "cond")
    with pytest.raises(ValueError, match="conditional on 10 classes"):
        factory.build_prior(spec)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"norm_num_groups": 8}, "norm_num_groups=8"),
        ({"sample_size": None}, "must state sample_size, got None"),
        ({"mid_block_type": None}, "mid_block_type=None"),
        ({"resnet_time_scale_shift": "scale_shift"}, "attn_norm_num_groups=None"),
        ({"down_block_types": ["SkipDownBlock2D", "DownBlock2D"]}, "blocks must be"),
        ({"up_block_types": ["AttnUpBlock2D", "UpBlock2D"]}, "encoder's as"),
        ({"down_block_types": [{}, []]}, "blocks must be 2 of"),
        ({"block_out_channels": [32]}, "blocks must be 1 of"),
        ({"block_out_channels": []}, "block_out_channels must be positive whole"),
        ({"block_out_channels": ["a", "b"]}, "block_out_channels must be positive"),
        ({"block_out_channels": [0, 0]}, "block_out_channels must be positive"),
        ({"block_out_channels": [32, 40]}, "a level of 40 channels"),
        ({"layers_per_block": -1}, "n_res_blocks must be a whole number"),
        ({"layers_per_block": 10**9}, "has but 1 tensors"),
        ({"sample_size": True}, "image_size must be a whole number"),
        ({"sample_size": 33}, "image_size 33 must be a multiple of 2"),
        ({"attention_head_dim": "x"}, "n_head_channels must be a whole number"),
        ({"attention_head_dim": -8}, "n_head_channels must be a whole number"),
    ],
)
def test_a_foreign_architecture_is_refused_by_name(fields, message, tmp_path):
    usual = {
        "sample_size": 32,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": [32, 64],
        "layers_per_block": 1,
        "down_block_types": ["DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D"],
    }
    assert infer.diffusers_config(usual).widths == (32, 64)
    (tmp_path / "config.json").write_text(json.dumps(usual | fields))
    one = tmp_path / "diffusion_pytorch_model.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(1)}, one)
    with pytest.raises(ValueError, match=message) as caught:
        convert.diffusers(str(tmp_path))
    assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize("text", ["[]", "3", "null", "{", "[" * 100_000])
def test_a_config_of_no_fields_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json") as caught:
        convert.diffusers(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_command_writes_once(tmp_path):
    path = write(tmp_path, checkpoint(dataclasses.replace(VARIANTS["plain"])))
    out = tmp_path / "out"
    words = [path, f"--out={out}"]
    ok = [*words, "--image_size=128", "--n_heads=4"]
    done = command_server.run("convert", *ok, cwd=tmp_path)
    assert done.code == 0, done.err
    before = (out / "prior.safetensors").read_bytes()
    for arguments, line in ((ok, "exists; give --overwrite"), (words, "exists")):
        done = command_server.run("convert", *arguments, cwd=tmp_path)
        assert done.code == 2 and line in done.err
        assert done.err.count("\n") == 1
    assert (out / "prior.safetensors").read_bytes() == before


TORCH = importlib.util.find_spec("torch") is not None
REFUSAL = "nothing else is ever loaded" if TORCH else "it is not installed"
"""What a pickle is answered with; without torch nothing reads it at all."""


class Bomb:
    def __reduce__(self):
        return (open, ("hostile", "w"))


def test_a_pickle_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.pt"
    path.write_bytes(pickle.dumps({"weight": Bomb()}))
    with pytest.raises(ValueError, match=REFUSAL):
        foreign.read_adm(path)
    assert not (tmp_path / "hostile").exists()
