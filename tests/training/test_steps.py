"""Times, loss, moving average, learning rate: each against a hand computation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import normal

from mgdm_jax import schedules
from mgdm_jax.training import steps

TABLE = schedules.discrete_vp("linear")
ALPHA_BAR = jnp.asarray(TABLE, jnp.float32)


def apply(params, x, t):
    """A toy: an affine map of the image, whatever the time."""
    del t
    return params["gain"] * x + params["shift"]


def optimiser(*args, **kwargs):
    """Return ours; optax mixes counts with floats, which our own code must not."""
    tx = steps.optimiser(*args, **kwargs)

    def update(*args):
        with jax.numpy_dtype_promotion("standard"):
            return tx.update(*args)

    return optax.GradientTransformation(tx.init, update)


def toy_params(gain=0.5, shift=-0.2):
    return {"gain": jnp.float32(gain), "shift": jnp.float32(shift)}


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_times_cover_every_stratum(power, key):
    n = 8
    edges = 1000 * (np.arange(n + 1) / n) ** power
    for k in jax.random.split(key, 3):
        t = np.asarray(steps.stratified_times(k, n, 1000, power))
        assert t.dtype == np.int32
        assert np.all(t >= np.floor(edges[:-1]))
        assert np.all(t <= np.minimum(np.ceil(edges[1:]), 999))


def drawn(key, shape):
    """Return the times and the noise that `steps.loss` draws from a key."""
    time_key, noise_key = jax.random.split(key)
    t = steps.stratified_times(time_key, shape[0], 1000, 1.5)
    noise = jax.random.normal(noise_key, shape)
    return np.asarray(t), np.float64(noise)


@pytest.mark.parametrize("weight", ["eps", "v"])
@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_loss(prediction, weight, key):
    """A v-error is an ε-error over √ᾱ, so the weight "v" makes it the plain v-loss.

    That of x0 is one over √(ᾱ/(1-ᾱ)).
    """
    images = normal(key, (4, 3, 5, 2))
    config = steps.LossConfig(prediction, weight, 1.5)
    t, noise = drawn(key, images.shape)
    level = TABLE[t][:, None, None, None]
    x0 = np.float64(images)
    x_t = np.sqrt(level) * x0 + np.sqrt(1 - level) * noise
    output = 0.5 * x_t - 0.2
    if prediction == "v":
        errors = output - (np.sqrt(level) * noise - np.sqrt(1 - level) * x0)
        factor = np.ones_like(level) if weight == "v" else level
    elif prediction == "x0":
        errors = output - x0
        factor = (1 if weight == "v" else level) / (1 - level)
    else:
        errors = output - noise
        factor = 1 / level if weight == "v" else np.ones_like(level)
    got = steps.loss(apply, config, ALPHA_BAR, toy_params(), images, key)
    np.testing.assert_allclose(got, np.mean(factor * errors**2), rtol=2e-5)


def train(key, n_steps, tx, *, decay=0.99, images=None, config=None, state=None):
    """Return every state of a toy training and its losses."""
    config = config or steps.LossConfig()
    loss = functools.partial(steps.loss, apply, config, ALPHA_BAR)
    step = jax.jit(steps.make_train_step(loss, tx, decay))
    states = [state or steps.init_state(toy_params(), tx, key)]
    losses = []
    images = normal(key, (8, 2, 2, 1)) if images is None else images
    for _ in range(n_steps):
        state, loss = step(states[-1], images)
        states.append(state)
        losses.append(float(loss))
    return states, losses


def test_moving_average_warms_up(key):
    """Its decay after step k is (1 + k)/(10 + k), until the configured one."""
    tx = optax.sgd(0.05)
    states, _ = train(key, 6, tx, decay=0.4)
    average = np.float64(states[0].params["gain"])
    for k, state in enumerate(states[1:], start=1):
        decay = min(0.4, (1 + k) / (10 + k))
        average = decay * average + (1 - decay) * np.float64(state.params["gain"])
        np.testing.assert_allclose(state.ema_params["gain"], average, rtol=1e-6)
        assert int(state.step) == k
    assert (1 + 6) / (10 + 6) > 0.4  # both regimes were met


def test_every_step_draws_anew_and_the_run_s_key_stays(key):
    states, losses = train(key, 3, optax.sgd(0.0))
    assert len(set(losses)) == 3
    assert states[-1].key == key
    _, again = train(key, 3, optax.sgd(0.0))
    assert again == losses


def test_learning_rate_warms_up_stays_and_cools():
    """Adam's step is the learning rate itself under a constant gradient."""
    tx = optimiser(0.1, warmup_steps=4, n_steps=20, decay_share=0.25)
    params = {"w": jnp.zeros(2)}
    gradient = {"w": jnp.array([30.0, -40.0])}
    state = tx.init(params)
    update = jax.jit(tx.update)
    rates = []
    for _ in range(21):
        change, state = update(gradient, state, params)
        np.testing.assert_allclose(change["w"][0], -change["w"][1], rtol=1e-4)
        rates.append(-float(change["w"][0]))
    want = [0, 0.025, 0.05, 0.075] + [0.1] * 12 + [0.08, 0.06, 0.04, 0.02, 0]
    np.testing.assert_allclose(rates, want, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("n_steps", "share", "want"),
    [
        (5, 1.0, [0, 0.025, 0.05, 0.075, 0.1, 0]),
        (8, 0.9, [0, 0.025, 0.05, 0.075, 0.1, 0.075, 0.05, 0.025, 0]),
        (3, 0.5, [0, 0.025, 0.05]),
    ],
)
def test_the_warm_up_is_whole_however_long_it_cools(n_steps, share, want):
    tx = optimiser(0.1, warmup_steps=4, n_steps=n_steps, decay_share=share)
    params = {"w": jnp.zeros(1)}
    state, rates = tx.init(params), []
    for _ in want:
        change, state = tx.update({"w": jnp.ones(1)}, state, params)
        rates.append(-float(change["w"][0]))
    np.testing.assert_allclose(rates, want, rtol=1e-3, atol=1e-6)


def test_gradients_are_clipped_by_their_global_norm():
    """Adam forgets scale, but not between steps: a burst must not linger."""
    tx = optimiser(0.1, warmup_steps=0, n_steps=10, decay_share=0.1)
    params = {"w": jnp.zeros(2)}

    def second_update(scale):
        _, state = tx.update({"w": scale * jnp.array([0.6, 0.8])}, tx.init(params))
        return tx.update({"w": jnp.array([0.1, 0.1])}, state)[0]["w"]

    np.testing.assert_allclose(second_update(1.0), second_update(1e4), rtol=1e-5)


def test_training_lowers_the_loss_at_every_level(key):
    """On images of one value the best ε is affine, and the toy finds it."""
    levels = (250, 500, 750)
    images = jnp.full((8, 2, 2, 1), 0.5)
    tx = optimiser(0.05, warmup_steps=2, n_steps=60, decay_share=0.2)
    config = steps.LossConfig("eps", "eps", 1.0)
    states, _ = train(key, 60, tx, images=images, config=config)
    evaluate = jax.jit(steps.losses_by_level(apply, "eps", ALPHA_BAR, levels))
    before = evaluate(states[0].params, images)
    after = evaluate(states[-1].ema_params, images)
    assert before.shape == (3,)
    assert np.all(after < 0.6 * before), (before, after)
    np.testing.assert_array_equal(evaluate(states[-1].ema_params, images), after)


def test_losses_by_level(key):
    """The monitored loss is the ε-error at one time, with noise that never changes."""
    images = normal(key, (3, 2, 2, 1))
    noise = np.float64(jax.random.normal(jax.random.key(0), images.shape))
    got = steps.losses_by_level(apply, "eps", ALPHA_BAR, (100, 900))(
        toy_params(), images
    )
    for value, t in zip(got, (100, 900), strict=True):
        x_t = np.sqrt(TABLE[t]) * np.float64(images) + np.sqrt(1 - TABLE[t]) * noise
        want = np.mean((0.5 * x_t - 0.2 - noise) ** 2)
        np.testing.assert_allclose(value, want, rtol=1e-5)
