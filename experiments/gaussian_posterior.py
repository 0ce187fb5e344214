"""Which methods sample the posterior: on a Gaussian prior it is known exactly.

Real images of 16 × 16 pixels, smooth and Gaussian; k-space of equispaced columns at 4x
with noise; the exact denoiser, 100 steps. ζ is chosen on other draws, as in the tables:
by the error of single samples. Everything here is simulated.

    python -m experiments.gaussian_posterior
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from experiments import markdown
from mgdm_jax import analytic, calibration, defaults, methods, schedules, tuned
from mgdm_jax.operators import fourier, linalg, masks
from mgdm_jax.samplers import loop
from mgdm_jax.types import Array, Guidance, Problem

SIZE, SIGMA = 16, 0.05
ZETAS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
ROWS = {
    "mgdm": {},
    "mgdm with noise=ddim": {"sampler.noise": "ddim"},
    "mgdm_no_ir": {},
    "dps": {},
    "ddnm": {},
    "ddnm with noise=ddim": {"sampler.noise": "ddim"},
    "pigdm": {},
    "ddnm_plus": {},
    "ddrm": {},
    "diffpir": {},
}
"""Row, its method first -> changes of the configuration."""

_ROWS = flags.DEFINE_list("rows", list(ROWS), "Rows to sample.")
_N_TRUTHS = flags.DEFINE_integer("n_truths", 16, "Images, and as many to choose on.")
_N_SAMPLES = flags.DEFINE_integer("n_samples", 99, "Samples of each.", lower_bound=2)
_STEPS = flags.DEFINE_integer("steps", 100, "Network evaluations of one sample.")
_OUT = flags.DEFINE_string("out", "experiments/results", "Folder of the table.")


class Setting(NamedTuple):
    """A Gaussian inverse problem.

    Attributes:
      prior: of images [h, w].
      operator: A.
      matrix: [2hw, hw] A on flat images, real and imaginary parts below each other.
      seen: [hw, hw] projection onto what A sees.
    """

    prior: analytic.Gaussian
    operator: fourier.MaskedFourier
    matrix: np.ndarray
    seen: np.ndarray


class Posterior(NamedTuple):
    """Means [n, hw] of samples, covariance [hw, hw], coverage and what it should be."""

    mean: np.ndarray
    covariance: np.ndarray
    nominal: float
    coverage: float


Moments = tuple[np.ndarray, np.ndarray]
"""Means [n, hw] of a posterior, and its covariance [hw, hw]."""

RunFn = Callable[[Array, Array, Guidance], Array]
"""(keys [n, k], measurements [n], numbers) -> samples [n, k, h, w]."""


def setting() -> Setting:
    """Return the problem; deviation of a pixel 0.25."""
    n = SIZE * SIZE
    frequency = np.fft.fftfreq(SIZE) * SIZE
    power = (1 + (frequency[:, None] ** 2 + frequency[None] ** 2) / 2) ** -2.0
    rows = np.fft.ifft2(power[None] * np.fft.fft2(np.eye(n).reshape(n, SIZE, SIZE)))
    covariance = 0.0625 * rows.real.reshape(n, n) / power.mean()
    vectors = jnp.linalg.eigh(jnp.asarray(covariance, jnp.float32))
    prior = analytic.Gaussian(jnp.zeros((SIZE, SIZE)), *vectors)
    mask = masks.make_mask("equispaced", (SIZE, SIZE), 4.0, 0)
    corner = fourier.centred_to_corner_mask(mask)
    operator = fourier.masked_fourier(corner, (SIZE, SIZE))
    y = jax.vmap(operator.forward)(jnp.eye(n).reshape(n, SIZE, SIZE))
    parts = np.concatenate([y.real.reshape(n, -1), y.imag.reshape(n, -1)], axis=1).T
    return Setting(prior, operator, parts, np.linalg.pinv(parts, 1e-4) @ parts)


def draw(key: Array, given: Setting, n: int) -> tuple[Array, Array]:
    """Return n images [n, h, w] and their measurements."""
    image_key, noise_key = jax.random.split(key)
    z = jax.random.normal(image_key, (n, SIZE * SIZE)) * jnp.sqrt(given.prior.variances)
    truths = (z @ given.prior.vectors.T).reshape(n, SIZE, SIZE)
    y = jax.vmap(given.operator.forward)(truths)
    keys = jax.random.split(noise_key, n)
    noise = jax.vmap(lambda k, y: given.operator.sampled(linalg.unit_noise(k, y)))
    return truths, y + SIGMA * noise(keys, y)


def sampler(given: Setting, method: str, changes: dict) -> RunFn:
    """Return what samples k times each of n problems: [n, k, h, w], jitted."""
    config = defaults.reconstruction()
    config.method, config.task.kind = method, "mri_real"
    config.update_from_flattened_dict(changes)
    step = methods.make_step(config)
    times = schedules.time_indices(_STEPS.value)
    grid = schedules.time_grid(schedules.discrete_vp("linear"), times)

    def one(key: Array, y: Array, numbers: Guidance) -> Array:
        problem = Problem(given.operator, y, jnp.float32(SIGMA))
        denoise = analytic.gaussian_denoiser
        return loop.sample(key, denoise, given.prior, step, grid, problem, numbers)[0]

    over_samples = jax.vmap(one, in_axes=(0, None, None))
    return jax.jit(jax.vmap(over_samples, in_axes=(0, 0, None)))


def chosen(given: Setting, method: str, run: RunFn) -> Guidance:
    """Return the numbers: the method's starting values, ζ of the least error."""
    truths, y = draw(jax.random.key(0), given, _N_TRUTHS.value)
    keys = jax.random.split(jax.random.key(1), (_N_TRUTHS.value, 1))
    zeta, lam, _, eta = tuned.STARTING[method]
    lam = 0.0 if method in methods.ABLATIONS else lam  # λ follows the noise
    searched = methods.FACTS[method].gradients > 0
    tried = [
        Guidance.of(zeta=value, lam=lam, rho=0.0, eta=eta)
        for value in (ZETAS if searched else (zeta,))
    ]
    errors = [float(jnp.mean((run(keys, y, g)[:, 0] - truths) ** 2)) for g in tried]
    return tried[int(np.nanargmin(errors))]


def summary(samples: Array, truths: Array) -> Posterior:
    """Return moments and coverage of samples [n, k, h, w]."""
    flat = np.asarray(samples, np.float64).reshape(*samples.shape[:2], -1)
    mean = flat.mean(1)
    off = (flat - mean[:, None]).reshape(-1, flat.shape[-1])
    everywhere = jnp.ones((SIZE, SIZE), bool)
    found = jax.vmap(lambda s, t: calibration.calibration(s, t, everywhere))(
        samples, truths
    )
    at = int(np.argmin(np.abs(found.nominal[0] - 0.8)))
    degrees = len(off) - len(mean)
    nominal, coverage = float(found.nominal[0, at]), float(found.coverage[:, at].mean())
    return Posterior(mean, off.T @ off / degrees, nominal, coverage)


def exact(given: Setting, y: Array) -> Moments:
    """Return the posterior's means [n, hw] and covariance [hw, hw]."""
    flat = y.reshape(len(y), -1)
    stacked = jnp.concatenate([flat.real, flat.imag], axis=1)
    of_one = analytic.gaussian_posterior
    means, covariances = jax.vmap(of_one, in_axes=(None, None, 0, None))(
        given.prior, jnp.asarray(given.matrix), stacked, jnp.float32(SIGMA)
    )
    return np.asarray(means, np.float64), np.asarray(covariances[0], np.float64)


def line(
    name: str, numbers: str, found: Posterior, truth: Moments, seen: np.ndarray
) -> list[str]:
    """Return a row: of what A sees and of what it does not, means and deviations."""
    mean, covariance = truth
    cells = [name, numbers]
    for part in (seen, np.eye(len(seen)) - seen):
        scale = np.trace(part @ covariance)
        off = np.mean(np.sum(((found.mean - mean) @ part) ** 2, axis=1))
        spread = np.trace(part @ found.covariance)
        cells += [f"{np.sqrt(off / scale):.2f}", f"{np.sqrt(spread / scale):.2f}"]
    return [*cells, f"{found.coverage:.0%}"]


def table() -> str:
    """Return the rows as Markdown, draws of the exact posterior first."""
    given, key = setting(), jax.random.key(2)
    n, k = _N_TRUTHS.value, _N_SAMPLES.value
    truths, y = draw(key, given, n)
    truth = exact(given, y)
    rng = np.random.default_rng(0)
    own = rng.multivariate_normal(np.zeros(SIZE**2), truth[1], (n, k), "ignore")
    own = jnp.asarray(own + truth[0][:, None]).reshape(n, k, SIZE, SIZE)
    drawn = summary(own, truths)
    moments = ("seen: mean off", "deviation", "unseen: mean off", "deviation")
    names = ("method", "ζ, λ, η", *moments, f"coverage of {drawn.nominal:.0%}")
    lines = [line("exact posterior", "", drawn, truth, given.seen)]
    keys = jax.random.split(jax.random.key(3), (n, k))
    for name in _ROWS.value:
        method = name.split()[0]
        run = sampler(given, method, ROWS[name])
        numbers = chosen(given, method, run)
        found = summary(run(keys, y, numbers), truths)
        told = f"{numbers.zeta:g}, {numbers.lam:g}, {numbers.eta:g}"
        lines.append(line(name, told, found, truth, given.seen))
        print(markdown.row(lines[-1]), flush=True)
    return markdown.table(names, lines)


def main(argv: list[str]) -> None:
    """Print and write the table."""
    del argv
    text, folder = table(), Path(_OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gaussian_posterior.md").write_text(text + "\n")
    print(text, flush=True)


if __name__ == "__main__":
    app.run(main)
