"""Checks and iterations that need only `forward` and `adjoint`.

Images are real arrays of any shape; inner products are Re Σ conj(a) b.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mgdm_jax.types import Array, LinearOperator

MatVec = Callable[[Array], Array]


class CGResult(NamedTuple):
    """What `conjugate_gradient` returns.

    Attributes:
      x: the solution, shaped like b.
      relative_residual: ‖b - H x‖ / ‖b‖ as the recursion has it; scalar, 0 for b = 0.
      iterations: products with H after the first; int32 scalar.
    """

    x: Array
    relative_residual: Array
    iterations: Array


def inner(a: Array, b: Array) -> Array:
    """Return Re Σ conj(a) b, a float32 scalar."""
    return jnp.sum((a.conj() * b).real)


def norm(a: Array) -> Array:
    """Return √⟨a, a⟩; its derivative at zero is zero."""
    return root(inner(a, a))


@jax.custom_jvp
def root(value: Array) -> Array:
    """Return √value, 0 for a negative one; its derivative there, and at 0, is 0.

    NaN stays: what has diverged is not to look like a perfect fit. No `where` of one
    condition around another: XLA may round the condition differently in each.
    """
    return jnp.sqrt(jnp.maximum(value, 0.0))


@root.defjvp
def _root_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    length = root(*primals)
    positive = length > 0
    slope = 0.5 / jnp.where(positive, length, 1.0)
    return length, jnp.where(positive, slope, 0.0) * tangents[0]


def unit_noise(key: Array, like: Array) -> Array:
    """Return noise of standard deviation 1 per real component, of that shape."""
    if not jnp.iscomplexobj(like):
        return jax.random.normal(key, like.shape, like.dtype)
    real, imaginary = jax.random.normal(key, (2, *like.shape), like.real.dtype)
    return jax.lax.complex(real, imaginary)


def dot_test(op: LinearOperator, key: Array) -> Array:
    """Return |⟨A x, y⟩ - ⟨x, Aᴴ y⟩| / (‖A x‖ ‖y‖) for random x and y.

    Around 1e-7 for a matched pair in float32; of order 1 for a wrong adjoint.
    """
    key_x, key_y = jax.random.split(key)
    x = jax.random.normal(key_x, op.image_shape, jnp.float32)
    a_x = op.forward(x)
    y = jax.random.normal(key_y, a_x.shape, a_x.dtype)
    gap = inner(a_x, y) - inner(x, op.adjoint(y))
    return jnp.abs(gap) / (norm(a_x) * norm(y))


def normal_operator(op: LinearOperator, lam: Array | float = 0.0) -> MatVec:
    """Return x -> AᴴA x + λ x."""

    def matvec(x: Array) -> Array:
        return op.adjoint(op.forward(x)) + lam * x

    return matvec


def operator_norm(op: LinearOperator, key: Array, n_iter: int = 100) -> Array:
    """Return ‖A‖, a lower estimate, by `n_iter` power iterations on AᴴA."""
    matvec = normal_operator(op)

    def step(_: Array, x: Array) -> Array:
        x = matvec(x)
        return x / norm(x)

    x = jax.random.normal(key, op.image_shape)
    x = jax.lax.fori_loop(0, n_iter, step, x)
    return jnp.sqrt(norm(matvec(x)))


class _State(NamedTuple):
    x: Array
    residual: Array
    direction: Array
    weighted: Array
    squared: Array
    iterations: Array


def conjugate_gradient(
    matvec: MatVec,
    b: Array,
    x0: Array,
    n_iter: int,
    tol: float = 1e-5,
    precondition: MatVec = lambda residual: residual,
) -> CGResult:
    """Solve H x = b, H symmetric positive definite, starting from x0.

    Stops at ‖b - H x‖ ≤ tol · ‖b‖ or after `n_iter` steps; under `vmap` each example
    stops by itself. Built on `lax.while_loop`: do not differentiate through it in
    reverse mode (JAX refuses); the proximal step's gradient has its own closed form.

    Args:
      matvec: x -> H x on real arrays.
      b: right-hand side.
      x0: start, shaped like b.
      n_iter: most steps, one product each (and one for the first residual).
      tol: relative residual to reach.
      precondition: r -> M⁻¹ r, symmetric positive definite, M close to H.

    Raises:
      ValueError: if `x0` and `b` differ in shape.

    References:
      Hestenes and Stiefel 1952, https://doi.org/10.6028/jres.049.044
    """
    if x0.shape != b.shape:
        raise ValueError(f"x0 must have b's shape {b.shape}, got {x0.shape}.")
    b_squared = inner(b, b)
    goal = tol**2 * b_squared

    def unfinished(state: _State) -> Array:
        return (state.squared > goal) & (state.iterations < n_iter)

    def advanced(state: _State) -> _State:
        return _cg_step(matvec, precondition, state)

    residual = b - matvec(x0)
    direction = precondition(residual)
    weighted, squared = inner(residual, direction), inner(residual, residual)
    start = _State(x0, residual, direction, weighted, squared, jnp.int32(0))
    state = jax.lax.while_loop(unfinished, advanced, start)
    ratio = jnp.where(b_squared > 0, state.squared / _nonzero(b_squared), 0.0)
    return CGResult(state.x, jnp.sqrt(ratio), state.iterations)


def _cg_step(matvec: MatVec, precondition: MatVec, state: _State) -> _State:
    h_direction = matvec(state.direction)
    alpha = state.weighted / _nonzero(inner(state.direction, h_direction))
    x = state.x + alpha * state.direction
    residual = state.residual - alpha * h_direction
    preconditioned = precondition(residual)
    weighted = inner(residual, preconditioned)
    direction = preconditioned + weighted / _nonzero(state.weighted) * state.direction
    squared = inner(residual, residual)
    return _State(x, residual, direction, weighted, squared, state.iterations + 1)


def _nonzero(x: Array) -> Array:
    return jnp.where(x == 0, 1.0, x)
