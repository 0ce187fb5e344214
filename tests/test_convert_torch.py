"""Converted networks compute what PyTorch's do; `make parity` installs it all."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_convert import VARIANTS, Bomb

from mgdm_jax import convert, schedules
from mgdm_jax.converting import diffusion
from mgdm_jax.networks import unet

torch = pytest.importorskip("torch")

LIMIT = 1e-4
"""Largest relative error in float32."""


def randomise(model, seed=0):
    """Give every weight a size that keeps the signal alive, zero ones included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.parameters():
            spread = 0.1 if value.ndim == 1 else value[0].numel() ** -0.5
            centre = 1.0 if value.ndim == 1 and float(value.mean()) == 1.0 else 0.0
            value.copy_(centre + spread * torch.randn(value.shape, generator=generator))
    return model.eval()


def relative_error(network, params, theirs):
    """Return ‖ours - theirs‖ / ‖theirs‖ on random images and times, and labels."""
    rng = np.random.default_rng(1)
    shape = (2, network.in_channels, network.image_size, network.image_size)
    x, t = rng.normal(size=shape).astype(np.float32), np.array([3, 871])
    labels = [np.array([0, network.n_classes - 1])] if network.n_classes else []
    with torch.no_grad():
        want = theirs(*map(torch.from_numpy, (x, t, *labels))).numpy()
    got = jax.jit(unet.make_apply(network))(
        params,
        jnp.asarray(x.transpose(0, 2, 3, 1)),
        *(jnp.asarray(index, jnp.int32) for index in (t, *labels)),
    )
    got = np.asarray(got).transpose(0, 3, 1, 2)
    assert np.abs(want).max() > 0.1
    return np.linalg.norm(got - want) / np.linalg.norm(want)


ADM = VARIANTS | {
    "new_order": dataclasses.replace(VARIANTS["openai_256"], new_attention_order=True),
    "four_heads": dataclasses.replace(VARIANTS["openai_256"], n_heads=4),
}


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("name", ADM)
def test_adm_parity(name, half, tmp_path):
    pytest.importorskip("deepinv")
    import adm_torch

    network = ADM[name]
    model = randomise(adm_torch.UNet(network))
    model = model.half() if half else model
    # guided-diffusion saves parameters that still want gradients.
    torch.save(dict(model.named_parameters()), tmp_path / "net.pt")
    got, params = convert.adm(
        str(tmp_path / "net.pt"),
        image_size=network.image_size,
        new_attention_order=network.new_attention_order,
        n_head_channels=0 if network.n_heads else network.n_head_channels,
        n_heads=network.n_heads,
    )
    assert relative_error(got, params, model.float()) <= LIMIT


@pytest.mark.slow
def test_a_published_network_at_full_width(tmp_path):
    """ffhq_10m's 93.6 million parameters, in deepinv's own network."""
    diffunet = pytest.importorskip("deepinv.models.diffunet")
    model = randomise(diffunet.DiffUNet(pretrained=None))
    # Its schedule's tables, which no published file holds, are no parameters.
    torch.save(dict(model.named_parameters()), tmp_path / "net.pt")
    network, params = convert.adm(str(tmp_path / "net.pt"), preset="ffhq_10m")
    assert relative_error(network, params, model.forward_diffusion) <= LIMIT


UNETS = {
    "attention": {"block_out_channels": (32, 64, 64), "layers_per_block": 2},
    "scale_shift": {
        "resnet_time_scale_shift": "scale_shift",
        "attn_norm_num_groups": 32,
    },
    "one_head": {"attention_head_dim": None},
    "complex": {"in_channels": 2, "out_channels": 2},
}


@pytest.mark.parametrize("name", UNETS)
def test_diffusers_parity(name, tmp_path):
    diffusers = pytest.importorskip("diffusers")
    fields = {"block_out_channels": (32, 64), "in_channels": 1, "out_channels": 1}
    fields |= UNETS[name]
    n = len(fields["block_out_channels"]) - 1
    model = randomise(
        diffusers.UNet2DModel(
            sample_size=32,
            down_block_types=("DownBlock2D",) * n + ("AttnDownBlock2D",),
            up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * n,
            **fields,
        )
    )
    model.save_pretrained(tmp_path)
    network, params = convert.diffusers(str(tmp_path))
    assert relative_error(network, params, lambda x, t: model(x, t).sample) <= LIMIT


@pytest.mark.parametrize("name", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("n_train", [1000, 2000])
def test_a_scheduler_s_levels_are_diffusers_own(name, n_train, tmp_path):
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(n_train, beta_schedule=name)
    scheduler.save_pretrained(tmp_path)
    got = diffusion.beside(tmp_path)
    table = schedules.discrete_vp(got.schedule, got.n_train, got.betas)
    np.testing.assert_allclose(table, scheduler.alphas_cumprod, rtol=1e-3, atol=1e-7)


def test_a_bomb_in_a_torch_file_is_refused(tmp_path):
    torch.save({"weight": Bomb()}, tmp_path / "bomb.pt")
    with pytest.raises(ValueError, match="nothing else is ever loaded"):
        convert.adm(str(tmp_path / "bomb.pt"), image_size=64, n_heads=4)
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="no bare state_dict"):
        convert.adm(str(tmp_path / "list.pt"), image_size=64, n_heads=4)
    (tmp_path / "half.pt").write_bytes((tmp_path / "list.pt").read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        convert.adm(str(tmp_path / "half.pt"), image_size=64, n_heads=4)
