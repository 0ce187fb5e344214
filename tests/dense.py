"""Float64 NumPy references of the samplers on a Gaussian prior.

There every step is affine in x_t, x_s = F x_t + b + c1 z, so mean and covariance of
the output follow by recursion. Written from the formulas, sharing no code with the
library: images are flat vectors, operators dense real matrices.
"""

import dataclasses

import numpy as np


def pinv(matrix):
    """Return the pseudo-inverse, blind to what is zero but for rounding.

    NumPy's own cut-off, 1e-15 of the largest, is within reach of a BLAS's rounding.
    """
    return np.linalg.pinv(matrix, rcond=1e-9)


@dataclasses.dataclass
class Model:
    """N(mean, cov) prior, matrix A, real measurement y."""

    mean: np.ndarray
    cov: np.ndarray
    matrix: np.ndarray
    y: np.ndarray
    noise_std: float = 0.0

    def denoise(self, x, a):
        """Return x0_hat (columns of x) and its Jacobian."""
        n = len(self.mean)
        gain = np.sqrt(a) * self.cov @ np.linalg.inv(a * self.cov + (1 - a) * np.eye(n))
        mean = self.mean[:, None]
        return mean + gain @ (x - np.sqrt(a) * mean), gain

    def prox(self, x, lam):
        n = len(self.mean)
        if lam == 0:
            return x + pinv(self.matrix) @ (self.y[:, None] - self.matrix @ x)
        h = self.matrix.T @ self.matrix + lam * np.eye(n)
        return np.linalg.solve(h, self.matrix.T @ self.y[:, None] + lam * x)


def coefficients(a, s, eta, noise):
    c1 = eta * np.sqrt(1 - s)
    if noise == "ddim":
        c1 = eta * np.sqrt((1 - s) / (1 - a)) * np.sqrt(1 - a / s)
    return c1, np.sqrt(max(1 - s - c1**2, 0.0))


def finish(x, x0_hat, x0_bar, a, s, eta, noise):
    eps = (x - np.sqrt(a) * x0_hat) / np.sqrt(1 - a)
    c1, c2 = coefficients(a, s, eta, noise)
    return np.sqrt(s) * x0_bar + c2 * eps, c1


def ddim(model, x, a, s, zeta, lam, rho, eta):
    x0_hat, _ = model.denoise(x, a)
    return finish(x, x0_hat, x0_hat, a, s, eta, "ddim")


def ddnm(model, x, a, s, zeta, lam, rho, eta):
    x0_hat, _ = model.denoise(x, a)
    return finish(x, x0_hat, model.prox(x0_hat, 0), a, s, eta, "ddnm")


def ddrm(model, x, a, s, zeta, lam, rho, eta, eta_b=1.0):
    """Noise that is not white comes back as a matrix."""
    x0_hat, _ = model.denoise(x, a)
    u, values, vt = np.linalg.svd(model.matrix)
    values = np.pad(values, (0, len(model.mean) - len(values)))
    level, noise = np.sqrt(1 - s), np.sqrt(s) * model.noise_std
    c1, c2 = coefficients(a, s, eta, "ddnm")
    share, fresh, kept = np.zeros((3, len(values)))
    for i, value in enumerate(values):
        if value < 1e-6:
            fresh[i], kept[i] = c1, c2
        elif level >= noise / value:
            share[i] = eta_b
            fresh[i] = np.sqrt(level**2 - (eta_b * noise / value) ** 2)
        else:
            share[i] = value * level * np.sqrt(1 - eta**2) / noise
            fresh[i] = eta * level
    target = (u.T @ model.y)[: len(values)]
    target = np.pad(target, (0, len(values) - len(target)))
    inverse = np.where(values < 1e-6, 0, 1 / np.maximum(values, 1e-6))
    eps = (x - np.sqrt(a) * x0_hat) / np.sqrt(1 - a)
    spectral = vt @ x0_hat
    spectral += (share * (inverse * target))[:, None] - share[:, None] * spectral
    x_s = vt.T @ (np.sqrt(s) * spectral + kept[:, None] * (vt @ eps))
    return x_s, vt.T * fresh @ vt


def pigdm(model, x, a, s, zeta, lam, rho, eta):
    x0_hat, jac = model.denoise(x, a)
    x_s, c1 = finish(x, x0_hat, x0_hat, a, s, eta, "ddim")
    misfit = model.y[:, None] - model.matrix @ x0_hat
    gram = model.matrix @ model.matrix.T
    gram += model.noise_std**2 / (1 - a) * np.eye(len(gram))
    v = model.matrix.T @ pinv(gram) @ misfit
    return x_s + zeta * np.sqrt(s) * np.sqrt(a) * jac.T @ v, c1


def diffpir(model, x, a, s, zeta, lam, rho, eta):
    x0_hat, _ = model.denoise(x, a)
    x0_bar = model.prox(x0_hat, lam * model.noise_std**2 / ((1 - a) / a))
    return finish(x, x0_bar, x0_bar, a, s, eta, "ddnm")


def mcg(model, x, a, s, zeta, lam, rho, eta, descend=None):
    """Two independent noises: of the step, and of the diffused measurement."""
    x_s, c1 = (descend or dps_squared)(model, x, a, s, zeta, lam, rho, eta)
    inverse = pinv(model.matrix)
    seen = inverse @ model.matrix
    x_s = x_s + inverse @ (np.sqrt(s) * model.y[:, None] - model.matrix @ x_s)
    unseen = np.eye(len(seen)) - seen
    return x_s, np.concatenate([c1 * unseen, np.sqrt(1 - s) * seen], axis=1)


def dps_squared(model, x, a, s, zeta, lam, rho, eta):
    x0_hat, jac = model.denoise(x, a)
    x_s, c1 = finish(x, x0_hat, x0_hat, a, s, eta, "ddim")
    grad = jac.T @ (-2 * model.matrix.T @ (model.y[:, None] - model.matrix @ x0_hat))
    return x_s - zeta * grad, c1


def dps(model, x, a, s, zeta, lam, rho, eta):
    """∇‖r‖ = ∇‖r‖² / (2 ‖r‖), ‖r‖ of each column: not affine in x."""
    misfit = model.y[:, None] - model.matrix @ model.denoise(x, a)[0]
    zeta = zeta / (2 * np.linalg.norm(misfit, axis=0))
    return dps_squared(model, x, a, s, zeta, lam, rho, eta)


def langevin(model, x, a, s, zeta, lam, rho, eta, n_inner=3):
    """On x/√a; every inner noise is one block of columns."""
    n, variance = len(model.mean), (1 - a) / a
    x, spread = x / np.sqrt(a), np.zeros((n, 0))
    trust = 1 / (variance + model.noise_std**2)
    size = zeta * variance
    for _ in range(n_inner):
        x0_hat, gain = model.denoise(np.sqrt(a) * x, a)
        towards_mean, before = np.sqrt(a) * gain, spread
        linear = (towards_mean - np.eye(n)) / variance
        linear -= trust * model.matrix.T @ model.matrix
        spread = spread + size * linear @ spread
        spread = np.concatenate([spread, np.sqrt(2 * size) * np.eye(n)], axis=1)
        misfit = model.y[:, None] - model.matrix @ x
        x = x + size * ((x0_hat - x) / variance + trust * model.matrix.T @ misfit)
    if s == 1:
        return x0_hat, towards_mean @ before
    return np.sqrt(s) * x, np.sqrt(s) * spread


def predictor_and_merge(model, x, a, s, zeta, lam, rho, eta, diffuse=True):
    """ScoreMed, or Score-MRI, on x/√a without its corrector, which is not affine."""
    assert zeta == 0
    n, variance, following = len(model.mean), (1 - a) / a, (1 - s) / s
    inverse = pinv(model.matrix)
    seen = inverse @ model.matrix

    def merged(x, spread, weight, sigma):
        x = x + weight * (inverse @ model.y[:, None] - seen @ x)
        fresh = weight * sigma * seen if diffuse else np.zeros((n, 0))
        kept = (np.eye(n) - weight * seen) @ spread
        return x, np.concatenate([kept, fresh], axis=1)

    x, spread = merged(x / np.sqrt(a), np.zeros((n, 0)), lam, np.sqrt(variance))
    x0_hat, gain = model.denoise(np.sqrt(a) * x, a)
    share = (variance - following) / variance
    x = x + share * (x0_hat - x)
    spread = spread + share * (np.sqrt(a) * gain @ spread - spread)
    fresh = np.sqrt(variance - following) if s < 1 else 0.0
    spread = np.concatenate([spread, fresh * np.eye(n)], axis=1)
    x, spread = merged(x, spread, lam if s < 1 else 1.0, np.sqrt(following))
    return np.sqrt(s) * x, np.sqrt(s) * spread


def mgdm(model, x, a, s, zeta, lam, rho, eta, inner=True, outer=True, disc=True):
    """λ grows by σ_y²/(1-ᾱ_t)."""
    lam = lam + model.noise_std**2 / (1 - a)
    x0_hat, jac = model.denoise(x, a)
    x0_tilde = x0_hat
    if inner:
        misfit = model.y[:, None] - model.matrix @ x0_hat
        x0_tilde = x0_hat - zeta * jac.T @ (-2 * model.matrix.T @ misfit)
    x0_bar = model.prox(x0_tilde, lam) if outer else x0_tilde
    x_s, c1 = finish(x, x0_hat, x0_bar, a, s, eta, "ddnm")
    if disc:
        n = len(model.mean)
        h = model.matrix.T @ model.matrix + lam * np.eye(n)
        change = lam * np.linalg.inv(h) - np.eye(n)
        x_s = x_s - rho * jac.T @ (2 * change.T @ (x0_bar - x0_tilde))
    return x_s, c1


def dds(model, x, a, s, zeta, lam, rho, eta):
    """λ as given, whatever the noise."""
    quiet = dataclasses.replace(model, noise_std=0.0)
    return mgdm(quiet, x, a, s, zeta, lam, rho, eta, inner=False, disc=False)


def krylov(matrix, right, n_iter):
    """Return CG's x of matrix x = right: the minimiser over the Krylov space."""
    basis = [right]
    for _ in range(n_iter - 1):
        basis.append(matrix @ basis[-1] / np.linalg.norm(basis[-1]))
    q, _ = np.linalg.qr(np.stack(basis, 1))
    return q @ np.linalg.solve(q.T @ matrix @ q, q.T @ right)


def walk(step, model, x, grid, numbers):
    """Return what the whole grid makes of x_T where no step adds noise."""
    x = x[:, None]
    for a, s in zip(*grid, strict=True):
        x, _ = step(model, x, a, s, *numbers)
    return x[:, 0]


def moments(step, model, grid, numbers):
    """Return mean and covariance of the sampler's output, started from N(0, I)."""
    n = len(model.mean)
    mean, cov = np.zeros(n), np.eye(n)
    for a, s in zip(*grid, strict=True):
        shift, c1 = step(model, np.zeros((n, 1)), a, s, *numbers)
        matrix = step(model, np.eye(n), a, s, *numbers)[0] - shift
        mean = matrix @ mean + shift[:, 0]
        spread = c1 if np.ndim(c1) else c1 * np.eye(n)
        cov = matrix @ cov @ matrix.T + spread @ spread.T
    return mean, cov
