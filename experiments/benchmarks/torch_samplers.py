"""MGDM and DPS as one would write them in PyTorch, eager: single-coil complex MRI.

As ours without fresh noise (η = 0), so that the images can be compared; written from
Algorithm 2, with the discrepancy gradient of a constant inner gradient.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch  # type: ignore[import-not-found]

Tensor = Any
"""A `torch.Tensor`: images [b, 2, h, w], real and imaginary part."""

EpsFn = Callable[[Tensor, Tensor], Tensor]
"""(x_t, t [b]) -> the predicted noise."""

Times = Sequence[tuple[int, float, float]]
"""(t, ᾱ_t, ᾱ_s) of each step, from noisy to clean."""

Step = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]


def forward(x: Tensor, mask: Tensor) -> Tensor:
    """Return the masked k-space [b, h, w] of images, DC in the corner."""
    image = torch.complex(x[:, 0].contiguous(), x[:, 1].contiguous())
    return mask * torch.fft.fft2(image, norm="ortho")


def adjoint(kspace: Tensor, mask: Tensor) -> Tensor:
    """Return the adjoint's images [b, 2, h, w]."""
    image = torch.fft.ifft2(mask * kspace, norm="ortho")
    return torch.stack((image.real, image.imag), dim=1)


def sample(eps_fn: EpsFn, step: Step, times: Times, x: Tensor) -> Tensor:
    """Return the images after all steps, from x_T.

    Args:
      eps_fn: the network.
      step: (x_t, x0_hat, ε, ᾱ_s) -> x_s; x_t wants gradients.
      times: of the steps.
      x: x_T [b, 2, h, w].
    """
    for t, alpha_bar, after in times:
        x = x.detach().requires_grad_()
        eps = eps_fn(x, torch.full((len(x),), t))
        x0_hat = (x - (1 - alpha_bar) ** 0.5 * eps) / alpha_bar**0.5
        x = step(x, x0_hat.clamp(-1.0, 1.0), eps, alpha_bar, after)
    return x.detach()


def mgdm(
    mask: Tensor, y: Tensor, zeta: float, lam: float, rho: float
) -> Callable[..., Tensor]:
    """Return MGDM's step, lines 8 to 11 of Algorithm 2."""

    def step(x, x0_hat, eps, alpha_bar, after):
        del alpha_bar
        misfit = (y - forward(x0_hat, mask)).abs().square().sum()
        (inner,) = torch.autograd.grad(misfit, x, retain_graph=True)
        x0_tilde = x0_hat - zeta * inner
        x0_bar = x0_tilde + adjoint(y - forward(x0_tilde, mask), mask) / (1 + lam)
        change = (x0_bar - x0_tilde).square().sum()
        (outer,) = torch.autograd.grad(change, x)
        return after**0.5 * x0_bar + (1 - after) ** 0.5 * eps - rho * outer

    return step


def dps(mask: Tensor, y: Tensor, zeta: float) -> Callable[..., Tensor]:
    """Return DPS's step, the norm taken per example."""

    def step(x, x0_hat, eps, alpha_bar, after):
        eps = (x - alpha_bar**0.5 * x0_hat) / (1 - alpha_bar) ** 0.5
        residual = (y - forward(x0_hat, mask)).abs().square().sum(dim=(1, 2)).sqrt()
        (inner,) = torch.autograd.grad(residual.sum(), x)
        return after**0.5 * x0_hat + (1 - after) ** 0.5 * eps - zeta * inner

    return step
