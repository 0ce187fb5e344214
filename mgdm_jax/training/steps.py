"""Training of a diffusion prior: loss, step, moving average. Pure; no I/O.

The loss is Ho et al.'s ε-loss (paper eq. 3), optionally weighted by 1/ᾱ_t, which makes
it the v-loss of Salimans & Ho, 2022, https://arxiv.org/abs/2202.00512: equal weight
for the error of the image at every noise level.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from mgdm_jax import denoisers
from mgdm_jax.types import Array, Params

LEVELS = (25, 50, 100, 250, 500, 750)
"""Times at which the validation loss is reported."""


class TrainState(NamedTuple):
    """All that a training carries from step to step.

    Attributes:
      step: int32, steps taken.
      key: typed random key of the run.
      params: current weights.
      ema_params: their moving average; what is shipped.
      opt_state: optax state.
    """

    step: Array
    key: Array
    params: Params
    ema_params: Params
    opt_state: optax.OptState


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Static choices of the loss.

    Attributes:
      prediction: "eps", "v" or "x0", what the network puts out.
      weight: "eps" (plain ε-loss) or "v" (ε-loss / ᾱ_t).
      time_power: t = T u^power with u uniform and stratified over the batch; above 1
        it visits low noise, where reconstructions are decided, more often.
    """

    prediction: str = "v"
    weight: str = "v"
    time_power: float = 1.0


def stratified_times(key: Array, n: int, n_train: int, power: float) -> Array:
    """Return [n] int32 times, one from each n-th of the distribution."""
    u = (jnp.arange(n, dtype=jnp.float32) + jax.random.uniform(key, (n,))) / n
    return jnp.minimum((n_train * u**power).astype(jnp.int32), n_train - 1)


def eps_errors(
    apply: Callable,
    params: Params,
    images: Array,
    noise: Array,
    t: Array,
    alpha_bar: Array,
    prediction: str,
) -> Array:
    """Return [b] mean squared errors of ε; images [b, h, w, c] in network units."""
    level = alpha_bar[t][:, None, None, None]
    x_t = jnp.sqrt(level) * images + jnp.sqrt(1.0 - level) * noise
    eps = denoisers.predict_eps(apply(params, x_t, t), x_t, level, prediction)
    return jnp.mean((eps - noise) ** 2, axis=(1, 2, 3))


def loss(
    apply: Callable,
    config: LossConfig,
    alpha_bar: Array,
    params: Params,
    images: Array,
    key: Array,
) -> Array:
    """Return the scalar loss of one batch [b, h, w, c] in network units."""
    time_key, noise_key = jax.random.split(key)
    t = stratified_times(
        time_key, images.shape[0], alpha_bar.shape[0], config.time_power
    )
    noise = jax.random.normal(noise_key, images.shape)
    errors = eps_errors(apply, params, images, noise, t, alpha_bar, config.prediction)
    weights = 1.0 / alpha_bar[t] if config.weight == "v" else jnp.ones_like(errors)
    return jnp.mean(weights * errors)


def optimiser(
    peak_lr: float, warmup_steps: int, n_steps: int, decay_share: float
) -> optax.GradientTransformation:
    """Return Adam with clipping; warm-up, plateau, then a linear decay to zero.

    The plateau lets a run be prolonged: only the last `decay_share` is spent cooling,
    or what of it the warm-up leaves.
    """
    cooling = max(n_steps - max(int(decay_share * n_steps), 1), warmup_steps)
    schedule = optax.join_schedules(
        [
            optax.linear_schedule(0.0, peak_lr, warmup_steps),
            optax.constant_schedule(peak_lr),
            optax.linear_schedule(peak_lr, 0.0, max(n_steps - cooling, 1)),
        ],
        [warmup_steps, cooling],
    )
    return optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(schedule, b1=0.9, b2=0.99)
    )


def init_state(
    params: Params, tx: optax.GradientTransformation, key: Array
) -> TrainState:
    """Return the state before the first step."""
    copy = jax.tree.map(jnp.array, params)
    return TrainState(jnp.zeros((), jnp.int32), key, params, copy, tx.init(params))


def make_train_step(
    loss: Callable[[Params, Array, Array], Array],
    tx: optax.GradientTransformation,
    ema_decay: float,
) -> Callable[[TrainState, Array], tuple[TrainState, Array]]:
    """Return (state, images [b, h, w, c] in network units) -> (state, loss).

    Args:
      loss: (params, images, key) -> scalar.
      tx: the optimiser.
      ema_decay: of the moving average, once it is old.
    """

    def train_step(state: TrainState, images: Array) -> tuple[TrainState, Array]:
        key = jax.random.fold_in(state.key, state.step)
        value, grads = jax.value_and_grad(lambda params: loss(params, images, key))(
            state.params
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        step = state.step + 1
        # Young averages forget quickly, or the first weights would linger.
        age = step.astype(jnp.float32)
        decay = jnp.minimum(ema_decay, (1.0 + age) / (10.0 + age))
        ema = optax.incremental_update(params, state.ema_params, 1.0 - decay)
        return TrainState(step, state.key, params, ema, opt_state), value

    return train_step


def losses_by_level(
    apply: Callable, prediction: str, alpha_bar: Array, levels: tuple[int, ...]
) -> Callable[[Params, Array], Array]:
    """Return (params, images [n, h, w, c]) -> [len(levels)] ε-losses, fixed noise."""

    def evaluate(params: Params, images: Array) -> Array:
        noise = jax.random.normal(jax.random.key(0), images.shape)

        def at_level(t: Array) -> Array:
            times = jnp.full(images.shape[0], t)
            return jnp.mean(
                eps_errors(apply, params, images, noise, times, alpha_bar, prediction)
            )

        return jax.lax.map(at_level, jnp.asarray(levels, jnp.int32))

    return evaluate
