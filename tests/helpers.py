"""Generic laws, checked the same way for every operator."""

import jax
import jax.numpy as jnp
import numpy as np

from mgdm_jax.operators import linalg, spectrum


def flat_real(x) -> np.ndarray:
    """Return x as one float64 vector; complex x as its real parts, then imaginary."""
    x = np.asarray(x)
    if np.iscomplexobj(x):
        x = np.stack([x.real, x.imag])
    return x.astype(np.float64).ravel()


def dense_matrix(op) -> np.ndarray:
    """Return A [real measurements, pixels] from `op.forward` of every unit image."""
    n = int(np.prod(op.image_shape))
    units = jnp.eye(n).reshape(n, *op.image_shape)
    batch = np.asarray(jax.jit(jax.vmap(op.forward))(units))
    return np.stack([flat_real(y) for y in batch], 1)


def normal(key, shape, dtype=np.float32):
    """Return noise; NumPy's, which spares one XLA compilation a shape."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    noise = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        noise = noise + 1j * rng.normal(size=shape)
    return jnp.asarray(noise, dtype)


def random_image(op, key):
    return normal(key, op.image_shape)


def random_measurement(op, key):
    """Return noise over the whole range array, unsampled positions included."""
    shape = jax.eval_shape(op.forward, jnp.zeros(op.image_shape))
    return normal(key, shape.shape, shape.dtype)


def check_adjoint(op, key, tol=3e-6):
    """⟨A x, y⟩ = ⟨x, Aᴴ y⟩, after the shapes and dtypes."""
    x, y = random_image(op, key), random_measurement(op, jax.random.fold_in(key, 1))
    back = adjoint(op, y)
    assert back.shape == x.shape and back.dtype == x.dtype == jnp.float32
    there = forward(op, x)
    assert there.shape == y.shape and there.dtype == y.dtype
    y, there, x, back = map(flat_real, (y, there, x, back))
    gap = there @ y - x @ back
    assert abs(gap) < tol * np.linalg.norm(there) * np.linalg.norm(y)


@jax.jit
def forward(op, x):
    return op.forward(x)


@jax.jit
def adjoint(op, y):
    return op.adjoint(y)


def prox(op, x, y, lam):
    """Return the proximal point through the operator's spectrum."""
    gain = spectrum.proximal_gain(lam)
    return x + op.spectral_filter(gain, y - op.forward(x))


prox_jit = jax.jit(prox)


@jax.jit
def prox_objective(op, point, x, y, lam):
    misfit, step = op.forward(point) - y, point - x
    return 0.5 * linalg.inner(misfit, misfit) + 0.5 * lam * linalg.inner(step, step)


@jax.jit
def prox_gradient(op, point, x, y, lam):
    return op.adjoint(op.forward(point) - y) + lam * (point - x)


def check_prox(op, key, lam, tol=1e-5):
    """The proximal point is stationary, and better than its neighbours."""
    lam = jnp.float32(lam)
    keys = jax.random.split(key, 7)
    x = random_image(op, keys[0])
    y = forward(op, random_image(op, keys[1]))
    x_bar = np.asarray(prox_jit(op, x, y, lam))
    gradient = prox_gradient(op, x_bar, x, y, lam)
    scale = np.linalg.norm(adjoint(op, y)) + lam * np.linalg.norm(x)
    assert np.linalg.norm(gradient) < tol * scale
    best = prox_objective(op, x_bar, x, y, lam)
    for k in keys[2:]:
        neighbour = x_bar + 0.1 * np.asarray(random_image(op, k))
        assert best < prox_objective(op, neighbour, x, y, lam)


def dense_prox(matrix, x, y, lam) -> np.ndarray:
    """Return argmin ½‖Ax - y‖² + λ/2 ‖x - x̃‖² by `np.linalg.solve`, float64."""
    h = matrix.T @ matrix + lam * np.eye(matrix.shape[1])
    return np.linalg.solve(h, matrix.T @ flat_real(y) + lam * flat_real(x))
