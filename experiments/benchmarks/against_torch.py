"""Whole reconstructions in PyTorch ÷ ours: MGDM and DPS, eager, and deepinv's DPS.

Complex MRI at 4x of noise. The network is deepinv's `DiffUNet` (the ADM network of 93.6
million parameters) with random weights, and ours is converted from it. All in one
process, alternating; before that, without fresh noise, our images are checked against
eager PyTorch's. Wants PyTorch and deepinv: `make parity` installs them. A batch is
split over our devices, as `run` splits it.

    JAX_NUM_CPU_DEVICES=2 python -m experiments.benchmarks.against_torch --rounds=3
"""

import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from experiments import markdown
from experiments.benchmarks import timing, untrained
from mgdm_jax import convert, devices, factory, priors
from mgdm_jax.samplers import dps, mgdm
from mgdm_jax.types import Array, Guidance, Problem

try:
    import deepinv  # type: ignore[import-not-found]
    import torch  # type: ignore[import-not-found]

    from experiments.benchmarks import torch_samplers
except ImportError:
    sys.exit("error: this needs PyTorch and deepinv: pip install -e .[parity]")

ZETA, LAM, RHO = 0.5, 0.01, 0.01
AGREES = 1e-2
"""Largest relative difference of the middle image of a batch.

Random weights amplify rounding: of eight images six differed by 4e-5, two by 2e-2.
"""

_BATCHES = flags.DEFINE_list("batches", ["1", "8"], "Images at once.")
_SIZE = flags.DEFINE_integer("size", 64, "Pixels along a side, a multiple of 32.")
_STEPS = flags.DEFINE_integer("steps", 5, "Steps of a reconstruction.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Alternating rounds.")


def networks(size: int) -> tuple["torch.nn.Module", factory.Prior]:
    """Return deepinv's network of random weights, and ours with the same ones."""
    torch.manual_seed(0)
    theirs = deepinv.models.DiffUNet(in_channels=2, out_channels=2, pretrained=None)
    with torch.no_grad():
        for value in theirs.parameters():  # some are zero, and all the output with them
            spread = 0.1 if value.ndim == 1 else value[0].numel() ** -0.5
            centre = value.mean() if value.ndim == 1 else 0.0
            value.copy_(centre + spread * torch.randn_like(value))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.pt"
        torch.save(dict(theirs.named_parameters()), path)
        network, params = convert.adm(str(path), image_size=size, n_head_channels=64)
    fields = network.to_fields()
    spec = priors.PriorSpec("torch", fields, "eps", "linear", 1.0, 0.0, -1.0, 1.0, {})
    return theirs.eval(), factory.build_prior(spec, jax.device_put(params))


def measured(prior: factory.Prior, n: int) -> tuple[Problem, np.ndarray]:
    """Return n problems of one mask [h, w], which is returned as well, DC first."""
    operator = untrained.operator(prior)
    images = 0.3 * jax.random.normal(jax.random.key(1), (n, *prior.image_shape))
    kspace = jax.vmap(operator.forward)(images)
    return Problem(operator, kspace, jnp.float32(0)), np.asarray(operator.mask)


def ours(prior: factory.Prior, module, problem: Problem, keys: Array) -> Callable:
    """Return η -> our images [n, h, w, 2], compiled."""
    sampler = factory.make_sampler(prior, module.make_step(), prior.grid(_STEPS.value))
    in_axes = (0, None, Problem(None, 0, None), None)  # type: ignore[arg-type]
    mesh = devices.mesh(at_most=math.gcd(len(keys), len(jax.local_devices())))
    params = devices.replicate(mesh, prior.params)
    batched = jax.vmap(sampler, in_axes=in_axes)
    run = jax.jit(devices.per_device(mesh, batched, in_axes))

    def images(eta: float) -> Array:
        numbers = Guidance.of(zeta=ZETA, lam=LAM, rho=RHO, eta=eta)
        return run(keys, params, problem, numbers)[0]

    return images


def eager(net, prior: factory.Prior, problem: Problem, mask, keys: Array) -> dict:
    """Return name -> what makes eager PyTorch's images from the same x_T."""
    shape, grid = prior.image_shape, prior.grid(_STEPS.value)
    start = jax.vmap(lambda key: jax.random.normal(jax.random.split(key)[0], shape))
    x = torch.from_numpy(np.array(start(keys).transpose(0, 3, 1, 2)))
    y = torch.from_numpy(np.array(problem.measurement))
    mask = torch.from_numpy(np.array(mask))
    columns = (grid.t, grid.alpha_bar, grid.alpha_bar_next)
    times = list(zip(*(np.asarray(column).tolist() for column in columns), strict=True))
    steps = {
        "mgdm": torch_samplers.mgdm(mask, y, ZETA, LAM, RHO),
        "dps": torch_samplers.dps(mask, y, ZETA),
    }

    def eps(x, t):
        return net.forward_diffusion(x, t)[:, :2]

    def images(name: str):
        return torch_samplers.sample(eps, steps[name], times, x)

    return {name: lambda name=name: images(name) for name in steps}


def library(net, problem: Problem, mask: np.ndarray) -> Callable:
    """Return what makes deepinv's images by its own DPS."""
    centred = torch.fft.fftshift(torch.from_numpy(np.array(mask, np.float32)))
    size = (2, *mask.shape)
    physics = deepinv.physics.MRI(mask=centred, img_size=size)
    kspace = np.asarray(problem.measurement)
    pair = np.fft.fftshift(
        np.stack((np.real(kspace), np.imag(kspace)), axis=1), axes=(2, 3)
    )
    y = torch.from_numpy(pair.astype(np.float32))
    times = _STEPS.value + 1  # it evaluates the network at all but the last
    sampler = deepinv.sampling.DPS(net, num_steps=times, dtype=torch.float32)
    return lambda: sampler(y, physics)


def difference(got, want) -> float:
    """Return the median ‖got - want‖ / ‖want‖ of the images.

    Args:
      got: ours [n, h, w, 2].
      want: PyTorch's [n, 2, h, w].
    """
    pairs = zip(np.asarray(got), want.numpy().transpose(0, 2, 3, 1), strict=True)
    norm = np.linalg.norm
    return float(np.median([norm(a - b) / norm(b) for a, b in pairs]))


def rows(net, prior: factory.Prior, n: int) -> list[str]:
    """Return a table's rows for batches of n."""
    problem, mask = measured(prior, n)
    keys = jax.random.split(jax.random.key(0), n)
    theirs = eager(net, prior, problem, mask, keys)
    calls, lines = {}, []
    for name, module in {"mgdm": mgdm, "dps": dps}.items():
        images = ours(prior, module, problem, keys)
        differs = difference(images(0.0), theirs[name]())
        if not differs <= AGREES:
            sys.exit(f"error: {name} differs from eager PyTorch by {differs:.1e}")
        calls[f"{name}, ours"] = lambda images=images: images(1.0)
        calls[f"{name}, PyTorch"] = theirs[name]
    calls["dps, deepinv"] = library(net, problem, mask)
    seconds = timing.each(_ROUNDS.value, *calls.values())
    found = dict(zip(calls, seconds, strict=True))
    for name, values in found.items():
        least, base = min(values), min(found[f"{name.split(',')[0]}, ours"])
        spread = f"{timing.spread(values):.2f}"
        cells = (f"{least / n:.2f}", spread, f"{least / base:.2f}")
        lines.append(markdown.row([name, n, *cells]))
    return lines


def main(argv: list[str]) -> None:
    """Print the table."""
    del argv
    net, prior = networks(_SIZE.value)
    print(f"torch {torch.__version__}, deepinv {deepinv.__version__}, ", end="")
    print(f"{_SIZE.value} px, {_STEPS.value} steps, {timing.header()}")
    names = ["method", "batch", "s an image", "mean ÷ least", "ours = 1"]
    print(markdown.head(names))
    for batch in _BATCHES.value:
        print("\n".join(rows(net, prior, int(batch))), flush=True)


if __name__ == "__main__":
    app.run(main)
