"""Classical reconstructions under the same operators, by sigpy's solvers.

min_x ½‖A x - y‖² + weight · R(x), with R = ½‖x‖² (iterative SENSE: Pruessmann et al.,
2001), total variation (Rudin, Osher, Fatemi, 1992, by the steps of Chambolle and Pock,
2011) or the ℓ1 norm of Daubechies-4 wavelets (Lustig, Donoho, Pauly, 2007). Every
operator here has ‖A‖ = 1, so step sizes need no power iteration. They iterate to one
image and draw nothing, so they are no `config.method`. Needs
`pip install -e .[classical]`.
"""

import copy
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sigpy

from mgdm_jax import factory
from mgdm_jax.defaults import Config
from mgdm_jax.operators import fourier
from mgdm_jax.types import Problem

N_ITERATIONS = 100
"""Enough on CT for CG, which at λ = 0.01 diverges by rounding within 500."""

N_PRIMAL_DUAL = 300
DUAL_STEP = 0.05
"""On CT total variation is 5 dB short of its minimum after as many steps of size 1."""

GRADIENT_SQUARED_NORM = 8.0
"""Bound of ‖finite differences‖² in two dimensions."""


class OperatorLinop(sigpy.linop.Linop):
    """An operator of ours as sigpy's.

    Complex images are complex there. Of real ones sigpy must see real data only, or it
    would make them complex: k-space is split into its two parts [2, …].
    """

    def __init__(self, operator: Any, measurement: np.ndarray, *, backward=False):
        self.operator, self.measurement, self.backward = operator, measurement, backward
        self.is_complex = len(operator.image_shape) == 3
        self.split = np.iscomplexobj(measurement) and not self.is_complex
        image, data = operator.image_shape[:2], self.data(measurement).shape
        super().__init__(*((image, data) if backward else (data, image)))

    def data(self, measurement: np.ndarray) -> np.ndarray:
        """Return a measurement as sigpy sees it."""
        if not self.split:
            return measurement
        return np.stack([np.real(measurement), np.imag(measurement)])

    def _apply(self, input: np.ndarray) -> np.ndarray:
        if self.backward:
            joined = input[0] + 1j * input[1] if self.split else input
            image = _adjoint(self.operator, joined.astype(self.measurement.dtype))
            return np.asarray(fourier.to_complex(image) if self.is_complex else image)
        image = jnp.asarray(input)
        image = fourier.to_channels(image) if self.is_complex else image
        return self.data(np.asarray(_forward(self.operator, image)))

    def _adjoint_linop(self) -> "OperatorLinop":
        other = not self.backward
        return OperatorLinop(self.operator, self.measurement, backward=other)


_forward = jax.jit(lambda operator, image: operator.forward(image))
_adjoint = jax.jit(lambda operator, data: operator.adjoint(data))


def least_squares(problem: Problem, weight: float) -> np.ndarray:
    """Return the image [h, w] or [h, w, 2] of ridge regression, by CG."""
    return _solve(problem, weight, N_ITERATIONS, {"lamda": weight})


def total_variation(problem: Problem, weight: float) -> np.ndarray:
    """Return the image of (anisotropic) total variation, by primal-dual steps."""
    gradient = sigpy.linop.FiniteDifference(problem.operator.image_shape[:2])
    prox = sigpy.prox.L1Reg(gradient.oshape, weight)
    step = 1.0 / (DUAL_STEP * (1.0 + GRADIENT_SQUARED_NORM))
    options = {"G": gradient, "proxg": prox, "sigma": DUAL_STEP, "tau": step}
    return _solve(problem, weight, N_PRIMAL_DUAL, options)


def wavelets(problem: Problem, weight: float) -> np.ndarray:
    """Return the image of sparse wavelet coefficients, by accelerated gradients."""
    transform = sigpy.linop.Wavelet(problem.operator.image_shape[:2])
    prox = sigpy.prox.L1Reg(transform.oshape, weight)
    prox = sigpy.prox.UnitaryTransform(prox, transform)
    return _solve(problem, weight, N_ITERATIONS, {"proxg": prox, "alpha": 1.0})


METHODS = {"least_squares": least_squares, "tv": total_variation, "wavelets": wavelets}
"""(problem, weight) -> image."""


def reconstruct(config: Config, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Return references and reconstructions [n, …] of the method `config.method`.

    Images are zero where nothing is measured, as those of `mgdm_jax.run`.
    """
    shape = factory.load_prior(config.prior.path).image_shape
    solve, config = METHODS[config.method], copy.deepcopy(config)
    config.method = "dps"  # asks for no spectrum, and weighs
    measured = factory.load_measurements(config, shape)
    assert measured.reference is not None
    images = []
    for i in range(len(measured)):
        images.append(solve(measured.single(i), weight))
    region = 1.0 if measured.region is None else measured.region
    return measured.reference, np.stack(images) * region


@functools.cache
def _compile_for_real_data() -> None:
    """Let sigpy's threshold be compiled for real data before it is for complex data.

    numba compiles it for the types it meets, unless those fit into types it has met:
    real data after complex data would become complex.
    """
    sigpy.thresh.soft_thresh(1.0, np.ones(1, np.float32))


def _solve(
    problem: Problem, weight: float, n_iterations: int, options: dict
) -> np.ndarray:
    if weight < 0:
        raise ValueError(f"weight must not be negative, got {weight}.")
    _compile_for_real_data()
    measurement = np.asarray(problem.measurement)
    linop = OperatorLinop(problem.operator, measurement)
    dtype = np.complex64 if linop.is_complex else np.float32
    solver = sigpy.app.LinearLeastSquares(
        linop,
        linop.data(measurement),
        x=np.zeros(linop.ishape, dtype),
        max_iter=n_iterations,
        show_pbar=False,
        **options,
    )
    with np.errstate(invalid="ignore"):  # its threshold divides 0 by 0, unused
        image = np.asarray(solver.run())
    if linop.is_complex:
        return np.stack([np.real(image), np.imag(image)], -1)
    return image
