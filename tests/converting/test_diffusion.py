"""The process of a converted network: told, said by its scheduler, or the usual."""

import dataclasses
import json

import command_server
import numpy as np
import pytest
from test_convert import checkpoint, reduced, write

from mgdm_jax import convert, factory, priors
from mgdm_jax.converting import diffusion, foreign, names

SAID = {
    "_class_name": "DDPMScheduler",
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "num_train_timesteps": 2000,
    "prediction_type": "v_prediction",
    "trained_betas": None,
}
"""As `DDPMScheduler.save_pretrained` writes it."""


def write_scheduler(folder, **changes):
    fields = {k: v for k, v in (SAID | changes).items() if v != "absent"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scheduler_config.json").write_text(json.dumps(fields))


@pytest.mark.parametrize("place", ["scheduler", "unet"])
def test_the_scheduler_beside_a_network_is_read(place, tmp_path):
    write_scheduler(tmp_path / place)
    got = diffusion.beside(tmp_path / "unet")
    assert got == ("v", "linear", 2000, (0.0001, 0.02))


def test_without_a_scheduler_nothing_is_said(tmp_path):
    assert diffusion.beside(tmp_path) is None


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"prediction_type": "absent"}, {"prediction": "eps"}),
        ({"prediction_type": "sample"}, {"prediction": "x0"}),
        (
            {"beta_schedule": "squaredcos_cap_v2"},
            {"schedule": "cosine", "betas": None},
        ),
        ({"beta_schedule": "scaled_linear"}, {"schedule": "scaled_linear"}),
    ],
)
def test_every_field_has_its_counterpart(changes, want, tmp_path):
    write_scheduler(tmp_path, **changes)
    got = diffusion.beside(tmp_path)._asdict()
    assert {name: got[name] for name in want} == want


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trained_betas": [0.1]}, r"trained_betas=\[0.1\] has no counterpart"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr=True"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule='sigmoid'"),
        ({"beta_schedule": "absent"}, "beta_schedule=''"),
        ({"beta_schedule": []}, r"beta_schedule=\[\]"),
        ({"prediction_type": "flow"}, "prediction_type='flow'"),
        ({"num_train_timesteps": "1000"}, "'1000' training timesteps"),
        ({"beta_end": None}, "training timesteps"),
    ],
)
def test_a_scheduler_without_counterpart_is_refused(changes, message, tmp_path):
    write_scheduler(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        diffusion.beside(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000])
def test_a_damaged_scheduler_is_refused(text, tmp_path):
    (tmp_path / "scheduler_config.json").write_text(text)
    with pytest.raises(ValueError, match=r"scheduler_config\.json"):
        diffusion.beside(tmp_path)


def test_flags_and_scheduler_must_agree():
    said = diffusion.Process("v", "linear", 2000, (1e-4, 0.02))
    assert diffusion.settled({"prediction": "v", "n_train": None}, said) == said
    with pytest.raises(ValueError, match=r"--prediction says eps, .* v;"):
        diffusion.settled({"prediction": "eps"}, said)
    alone = diffusion.settled({"n_train": 4000, "betas": None}, None)
    assert alone == diffusion.Process(n_train=4000)


def test_a_prior_denoises_by_the_process_that_it_was_trained_on(tmp_path):
    """Its table, and the level of which T, come from the file."""
    network = dataclasses.replace(reduced("aapm_256"), image_size=32)
    process = diffusion.Process("x0", "scaled_linear", 40, (0.001, 0.03))
    spec = convert.make_spec(network, "net", process)
    tensors = {name: np.float32(v) for name, v in checkpoint(network).items()}
    params = foreign.convert(tensors, network, names.adm)
    priors.save(tmp_path / "p.safetensors", spec, params)
    prior = factory.load_prior(str(tmp_path / "p.safetensors"))
    betas = np.linspace(0.001**0.5, 0.03**0.5, 40) ** 2
    np.testing.assert_allclose(prior.alpha_bar, np.cumprod(1 - betas), rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (("--window=-1000,1000",), {-1000: -1, 0: 0, 1000: 1}),
        (("--window=-1024,3072", "--range=0,1"), {-1024: 0, 0: 0.25, 3072: 1}),
    ],
)
def test_a_window_is_what_the_range_is_of(words, ends, tmp_path):
    config = dataclasses.replace(reduced("aapm_256"), image_size=32)
    path = write(tmp_path, checkpoint(config))
    words = (path, "--image_size=32", "--n_head_channels=64", *words, "--out=out")
    done = command_server.run("convert", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    assert "taken to predict eps, on the linear schedule with 1000" in done.out
    spec, _ = priors.load(str(tmp_path / "out/prior.safetensors"))
    for hounsfield, seen in ends.items():
        x = (hounsfield + 1024) / 2048
        np.testing.assert_allclose(spec.scale * x + spec.offset, seen, atol=1e-12)
    np.testing.assert_allclose(2048 * spec.low - 1024, min(ends))
    np.testing.assert_allclose(2048 * spec.high - 1024, max(ends))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--betas=0.02,0.01",), "its first β in"),
        (("--betas=1e-4,0.02", "--schedule=cosine"), "follows from T alone"),
        (("--n_train=0",), "10⁶ steps"),
        (("--window=1000,-1000",), "--window must be two rising numbers"),
        (("--betas=a,b",), "--betas must be two rising numbers"),
    ],
)
def test_what_makes_no_process_is_refused(words, message, tmp_path):
    config = dataclasses.replace(reduced("aapm_256"), image_size=32)
    path = write(tmp_path, checkpoint(config))
    more = (path, "--image_size=32", "--n_head_channels=64", *words, "--out=out")
    done = command_server.run("convert", *more, cwd=tmp_path)
    assert done.code == 2 and message in done.err
    assert not (tmp_path / "out").exists()


def test_a_window_is_of_one_channel():
    network = dataclasses.replace(reduced("fastmri_knee_320"), image_size=32)
    with pytest.raises(ValueError, match="--window is of CT"):
        convert.make_spec(network, "net", window=(-1000.0, 1000.0))


def test_flags_of_an_architecture_that_the_folder_tells_are_refused(tmp_path):
    (tmp_path / "unet").mkdir()
    words = ("--from=diffusers", "unet", "--preset=aapm_256", "--out=out")
    done = command_server.run("convert", *words, cwd=tmp_path)
    assert done.code == 2 and "leave out --preset, --image_size" in done.err


def test_tensors_of_a_wrapped_network_are_found(tmp_path):
    config = dataclasses.replace(reduced("aapm_256"), image_size=32)
    tensors = checkpoint(config)
    wrapped = {f"module.model.{name}": value for name, value in tensors.items()}
    assert foreign.read_adm(write(tmp_path, wrapped)).keys() == tensors.keys()


def test_attention_by_its_names_before_diffusers_0_17():
    for before, since in {
        "mid_block.attentions.0.query.weight": "mid_block.attentions.0.to_q.weight",
        "a.proj_attn.bias": "a.to_out.0.bias",
        "mid_block.attentions.0.to_v.bias": "mid_block.attentions.0.to_v.bias",
        "conv_in.weight": "conv_in.weight",
    }.items():
        assert names.since_renamed(before) == since
