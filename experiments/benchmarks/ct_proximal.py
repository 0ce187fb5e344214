"""CT's proximal step by every solver: what it costs, and how far from the minimiser.

A slice of the embedded sample, measured without noise, x0_tilde its filtered
back-projection. One process, alternating rounds, the least counts; gap as
`proximal.gap`; products are those with AᵀA or AAᵀ. What is made once a geometry
(spectrum, harmonics) is not timed.

    python -m experiments.benchmarks.ct_proximal --views=23,60,180
"""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from experiments import markdown
from experiments.benchmarks.timing import header, least
from mgdm_jax.data import samples
from mgdm_jax.guidance import proximal
from mgdm_jax.operators import harmonics, linalg, radon, spectrum
from mgdm_jax.types import Problem

_VIEWS = flags.DEFINE_list("views", ["23", "60", "180"], "Views of the scans.")
_LAMS = flags.DEFINE_list("lams", ["1e-1", "1e-2", "1e-3", "1e-4"], "Weights λ.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Alternating rounds; the least counts.")
_SIZE = flags.DEFINE_integer("size", None, "Of the image; the sample's own by default.")


def solvers(n_rows: int) -> dict[str, proximal.ProximalFn]:
    """Return name -> proximal step; the spectrum's where it is within reach."""
    known = {
        "3 iterations of CG": proximal.conjugate_gradient(3),
        "CG": proximal.conjugate_gradient(1000),
        "CG, harmonics": proximal.harmonic(1000),
    }
    if n_rows <= spectrum.MAX_DUAL_ROWS:
        known["spectral"] = proximal.spectral
    return known


def problem_of(n_views: int, image: np.ndarray) -> Problem:
    """Return a noiseless scan of the image with all that is known of its geometry."""
    angles = np.arange(n_views) * (180 / n_views)
    operator = radon.with_harmonics(radon.parallel_beam(angles, len(image)), None)
    if operator.n_rows <= spectrum.MAX_DUAL_ROWS:
        operator = radon.with_dual_spectrum(operator, spectrum.default_cache_dir())
    truth = jnp.asarray(image, jnp.float32)
    return Problem(operator, operator.forward(truth))


def rows(problem: Problem, lam: jax.Array) -> Iterator[str]:
    """Time every solver at one weight and return its row of the table."""
    start = problem.operator.baseline(problem.measurement)
    known = solvers(problem.operator.n_rows)
    calls = [
        functools.partial(jax.jit(step), problem, start, lam) for step in known.values()
    ]
    times, counted = least(_ROUNDS.value, *calls), products(problem, start, lam)
    views = len(problem.measurement)
    for name, call, seconds in zip(known, calls, times, strict=True):
        gap = proximal.gap(problem, start, call(), lam)
        found = (f"{1e3 * seconds:.1f}", counted.get(name, ""), f"{gap:.0e}")
        yield markdown.row([views, f"{lam:.0e}", name, *found])


@jax.jit
def products(problem: Problem, start: jax.Array, lam: jax.Array) -> dict:
    """Return by solver how many products with AᵀA or AAᵀ CG takes, to 1e-5."""
    operator = problem.operator
    misfit = problem.measurement - operator.forward(start)
    right = operator.adjoint(misfit)
    normal = linalg.normal_operator(operator, lam)

    def dual(sinogram: jax.Array) -> jax.Array:
        return operator.forward(operator.adjoint(sinogram)) + lam * sinogram

    def precondition(sinogram: jax.Array) -> jax.Array:
        return harmonics.solve(operator.harmonics, lam, sinogram)

    solve, zero = linalg.conjugate_gradient, jnp.zeros_like
    plain = solve(normal, right, zero(right), 1000)
    spread = solve(dual, misfit, zero(misfit), 1000, precondition=precondition)
    return {"CG": plain.iterations, "CG, harmonics": spread.iterations}


def main(argv: list[str]) -> None:
    """Print one row a scan, weight and solver."""
    del argv
    (subject, *_) = samples.subjects("chest", "test")
    volume = samples.load_volume("chest", "test", subject)
    image = volume[len(volume) // 2, : _SIZE.value, : _SIZE.value]
    print(header())
    print(markdown.head(["views", "λ", "solver", "ms", "products", "gap"]))
    for n_views in map(int, _VIEWS.value):
        problem = problem_of(n_views, image)
        for lam in map(jnp.float32, _LAMS.value):
            print(*rows(problem, lam), sep="\n", flush=True)


if __name__ == "__main__":
    app.run(main)
