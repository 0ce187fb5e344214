"""What a donor gives to a training, and which donors are refused."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny

from mgdm_jax import priors
from mgdm_jax.networks import unet
from mgdm_jax.training import defaults, starting


def config_of(**network):
    config = defaults.prior_training()
    config.network = tiny.spec(16).network | network
    return config


def fresh(config):
    network = unet.UNetConfig.from_fields(config.network.to_dict())
    params = unet.initialise(network, jax.random.key(9))
    return jax.tree.map(lambda leaf: np.asarray(leaf) + 1, params)


def donor(folder, *, prediction="v", **network):
    """Write a prior of random weights, and return its path and weights."""
    spec = tiny.spec(16)
    spec = dataclasses.replace(
        spec, prediction=prediction, network=spec.network | network
    )
    shapes = unet.abstract_params(unet.UNetConfig.from_fields(spec.network))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: rng.normal(size=s.shape), shapes)
    path = folder / "donor.safetensors"
    priors.save(path, spec, params, np.float32)
    return str(path), priors.flatten(priors.load(path)[1])


def begin(path, config):
    target = fresh(config)
    got = priors.flatten(starting.from_donor(path, config, target))
    return got, priors.flatten(target)


def test_equal_shapes_alone_are_taken(tmp_path):
    """A magnitude prior starts a complex one, whose first and last layers differ."""
    path, given = donor(tmp_path)
    config = config_of(in_channels=2, out_channels=2)
    got, target = begin(path, config)
    other = {"input_blocks.0.0.kernel", *starting.LAST}
    for name, value in got.items():
        want = target if name in other else given
        np.testing.assert_array_equal(value, want[name], err_msg=name)


def test_the_last_layer_of_another_prediction_is_fresh(tmp_path, caplog):
    path, given = donor(tmp_path, prediction="eps")
    got, target = begin(path, config_of())
    for name, value in got.items():
        want = target if name in starting.LAST else given
        np.testing.assert_array_equal(value, want[name], err_msg=name)
    assert "trained with another prediction" in caplog.text


def test_of_a_learned_variance_the_mean_is_taken(tmp_path):
    """So that the network puts out what the donor's mean was."""
    path, given = donor(tmp_path, out_channels=2)
    config = config_of()
    got, _ = begin(path, config)
    x, t = np.ones((1, 16, 16, 1), np.float32), np.array([40])
    both, mean = (
        jax.jit(unet.make_apply(unet.UNetConfig.from_fields(network)))(params, x, t)
        for network, params in (
            (priors.load(path)[0].network, priors.unflatten(given)),
            (config.network.to_dict(), priors.unflatten(got)),
        )
    )
    np.testing.assert_allclose(mean, both[..., :1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"new_attention_order": True}, "another order of them"),
        ({"n_head_channels": 8}, "other attention heads"),
        ({"model_channels": 64}, "no layer of prior .* fits"),
    ],
)
def test_donors_of_another_network_are_refused(network, message, tmp_path):
    path, _ = donor(tmp_path, **network)
    with pytest.raises(ValueError, match=message):
        begin(path, config_of())
