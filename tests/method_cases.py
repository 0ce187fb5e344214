"""Every sampler with its dense reference, and a small problem with a known prior."""

import dataclasses
import functools

import dense
import jax
import jax.numpy as jnp
import numpy as np
import operator_cases
from helpers import dense_matrix, flat_real

from mgdm_jax import analytic, defaults, schedules
from mgdm_jax.guidance import proximal
from mgdm_jax.samplers import (
    ddim,
    ddnm,
    ddnm_plus,
    ddrm,
    dds,
    diffpir,
    dps,
    langevin,
    loop,
    mcg,
    mgdm,
    pigdm,
    predictor_corrector,
    red_diff,
)
from mgdm_jax.types import Guidance, Problem

score_med = predictor_corrector.make_step(diffuse=True)
score_mri = predictor_corrector.make_step(diffuse=False)

METHODS = {
    "ddim": (ddim.make_step(), dense.ddim),
    "ddnm": (ddnm.make_step(), dense.ddnm),
    "ddnm_plus": (ddnm_plus.make_step(), dense.ddnm),
    "ddrm": (ddrm.make_step(), dense.ddrm),
    "diffpir": (diffpir.make_step(), dense.diffpir),
    "dps": (dps.make_step(residual="squared"), dense.dps_squared),
    "dps_norm": (dps.make_step(), dense.dps),
    "mcg": (mcg.make_step(residual="squared"), dense.mcg),
    "mcg_norm": (mcg.make_step(), functools.partial(dense.mcg, descend=dense.dps)),
    "pigdm": (pigdm.make_step(), dense.pigdm),
    "csgm_langevin": (langevin.make_step(), dense.langevin),
    "score_med": (score_med, dense.predictor_and_merge),
    "score_mri": (
        score_mri,
        functools.partial(dense.predictor_and_merge, diffuse=False),
    ),
    "mgdm": (mgdm.make_step(), dense.mgdm),
    "mgdm_cg": (
        mgdm.make_step(mgdm.Options(proximal_fn=proximal.conjugate_gradient(60, 1e-7))),
        dense.mgdm,
    ),
    "dds": (dds.make_step(n_iter=60, tol=1e-7), dense.dds),
    "mgdm_no_pr": (
        mgdm.make_step(mgdm.Options(use_outer=False, use_discrepancy=False)),
        functools.partial(dense.mgdm, outer=False, disc=False),
    ),
    "mgdm_no_ir": (
        mgdm.make_step(mgdm.Options(use_inner=False, use_discrepancy=False)),
        functools.partial(dense.mgdm, inner=False, disc=False),
    ),
    "mgdm_no_i": (
        mgdm.make_step(mgdm.Options(use_inner=False)),
        functools.partial(dense.mgdm, inner=False),
    ),
    "mgdm_no_r": (
        mgdm.make_step(mgdm.Options(use_discrepancy=False)),
        functools.partial(dense.mgdm, disc=False),
    ),
}

PROCESSES = {"red_diff": red_diff.sample}
"""Methods that are no step of the one loop; their references are in their own tests."""

ALL = sorted([*METHODS, *PROCESSES])

UN_SQUARED = ("dps_norm", "mcg_norm")
"""Rows that are no affine map of x_t: their gradient is divided by its residual."""

LENGTHS = (*UN_SQUARED, "red_diff")
"""Methods whose ζ multiplies a direction without a unit, so that it has the image's."""

RENEWING = ("ddrm", "mcg", "mcg_norm", "csgm_langevin", "score_med", "score_mri")
"""Methods that draw noise at η = 0 as well."""

DETERMINISTIC = [name for name in METHODS if name not in RENEWING]

DENOISE = jax.jit(analytic.gaussian_denoiser)
"""Of one program, where it is called outside of others."""

SHIPPED = {"dps": "dps_norm", "mcg": "mcg_norm"}
"""Method -> row of its step as configured by default, where it is not its own."""

OPERATORS = {
    "real": lambda: operator_cases.real_fourier((4, 4)),
    "complex": lambda: operator_cases.complex_fourier((3, 4)),
    "multi_coil": lambda: operator_cases.multi_coil((3, 4), seed=2),
    "ct": lambda: operator_cases.ct(5, [0.0, 50.0, 110.0]),
}


def config(method):
    """Return a configuration of a method, all else as it is by default."""
    made = defaults.reconstruction()
    made.method = method
    return made


def guidance(zeta=0.3, lam=0.05, rho=0.1, eta=0.7) -> Guidance:
    return Guidance.of(zeta=zeta, lam=lam, rho=rho, eta=eta)


def grid(n_steps=8):
    table = schedules.discrete_vp("linear")
    return schedules.time_grid(table, schedules.time_indices(n_steps))


def levels(n_steps=8):
    """Return every ᾱ_t and ᾱ_s of the grid, for `dense`."""
    times = grid(n_steps)
    return np.float64(times.alpha_bar), np.float64(times.alpha_bar_next)


@functools.cache
def gaussian_case(name: str, seed: int = 0):
    """Return (prior, problem, dense model) with a random covariance."""
    operator = OPERATORS[name]()
    n = int(np.prod(operator.image_shape))
    rng = np.random.default_rng(seed)
    vectors, _ = np.linalg.qr(rng.normal(size=(n, n)))
    variances = rng.uniform(0.05, 1.5, n)
    mean = rng.normal(size=n)
    prior = analytic.Gaussian(
        jnp.asarray(mean.reshape(operator.image_shape), jnp.float32),
        jnp.asarray(variances, jnp.float32),
        jnp.asarray(vectors, jnp.float32),
    )
    truth = mean + vectors @ (np.sqrt(variances) * rng.normal(size=n))
    image = jnp.asarray(truth.reshape(operator.image_shape), jnp.float32)
    y = jax.jit(lambda op, x: op.forward(x))(operator, image)
    problem = Problem(operator, y, jnp.float32(0))
    cov = (vectors * variances) @ vectors.T
    model = dense.Model(mean, cov, dense_matrix(operator), flat_real(y))
    return prior, problem, model


def noisy_case(name: str, sigma: float):
    """Return `gaussian_case` whose measurement is said to have noise."""
    prior, problem, model = gaussian_case(name)
    problem = problem._replace(noise_std=jnp.float32(sigma))
    return prior, problem, dataclasses.replace(model, noise_std=sigma)


def process(method):
    """Return the whole process of a row's name, or of a step."""
    if method in PROCESSES:
        return PROCESSES[method]
    step = METHODS[method][0] if isinstance(method, str) else method
    return functools.partial(loop.sample, step=step)


def denoiser(unit: float):
    """Return that of the Gaussian prior of images `unit` times as large."""

    def denoise(params, x_t, t, alpha_bar):
        one = analytic.gaussian_denoiser(params, x_t / unit, t, alpha_bar)
        return jax.tree.map(lambda v: unit * v, one)

    return denoise if unit != 1 else analytic.gaussian_denoiser


def run(
    key, method, prior, problem, numbers, steps=8, unit=1.0, denoise=None, n_kept=0
):
    """Sample once on the Gaussian prior with a method of the table, or a step."""
    return process(method)(
        key=key,
        denoise=denoise or denoiser(unit),
        noise_scale=unit,
        params=prior,
        grid=grid(steps),
        problem=problem,
        guidance=numbers,
        n_kept=n_kept,
    )


@functools.partial(jax.jit, static_argnames=("method", "steps"))
def sample(key, method, prior, problem, numbers, steps=8):
    """Return what `run` does, of a program that tests share."""
    return run(key, method, prior, problem, numbers, steps)


@functools.partial(jax.jit, static_argnames="method")
def samples(keys, method, prior, problem, numbers):
    """Return one image a key."""
    return jax.vmap(lambda key: run(key, method, prior, problem, numbers)[0])(keys)


def both(key, operator_name, first, first_numbers, second, second_numbers):
    """Return the images of two methods, or steps, of one key and problem."""
    prior, problem, _ = gaussian_case(operator_name)
    rows = (first, first_numbers), (second, second_numbers)
    return [sample(key, row, prior, problem, numbers)[0] for row, numbers in rows]


def step_at(key, name, problem, prior, numbers, index=3):
    """Return x_s of one step of a method, from the same x_t for all."""
    times = jax.tree.map(lambda v: v[index], grid())
    x_t = jax.random.normal(key, problem.operator.image_shape)
    estimate = loop.linearise(DENOISE, prior, x_t, times, 1.0)
    step = METHODS[name][0] if isinstance(name, str) else name
    return _one_step(step, key, prior, x_t, times, problem, numbers), estimate


@functools.partial(jax.jit, static_argnames="step")
def _one_step(step, key, prior, x_t, times, problem, numbers):
    estimate = loop.linearise(analytic.gaussian_denoiser, prior, x_t, times, 1.0)
    return step(key, estimate, problem, numbers)[0]
