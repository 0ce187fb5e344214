"""Does λ_t = λ + σ_y²/r_t² beat a constant λ on noisy sinograms?

On slices of the validation subject, with `mgdm_no_ir` (the proximal step alone); noise
in per cent of the sinogram's maximum.

    python -m experiments.noise_rule
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from configs import ct_lidc
from experiments import markdown
from mgdm_jax import factory, metrics
from mgdm_jax.defaults import Config
from mgdm_jax.types import Array, Guidance

LAMBDAS = (0.0, 1e-3, 1e-2, 3e-2, 0.1, 0.3)

_PERCENT = flags.DEFINE_list("percent", ["1", "3"], "Noise levels.")
_SLICES = flags.DEFINE_integer("slices", 2, "Validation slices (train/lung1).")
_STEPS = flags.DEFINE_integer("steps", 25, "Network evaluations of one sample.")


def psnr_of(config: Config, lambdas: tuple[float, ...]) -> list[float]:
    """Return the mean PSNR of each λ, η = 1."""
    prior, measured, sampler = factory.build(config)
    keys = jax.random.split(jax.random.key(0), len(measured))
    problems = measured.problem(np.arange(len(measured)))
    batched = jax.vmap(sampler, in_axes=(0, None, measured.axes, None))
    reference, region = jnp.asarray(measured.reference), jnp.asarray(measured.region)

    @jax.jit
    def psnr(guidance: Guidance) -> Array:
        images, _ = batched(keys, prior.params, problems, guidance)
        images = jnp.where(region, images, 0.0)
        return jax.vmap(metrics.psnr)(reference, images).mean()

    return [float(psnr(Guidance.of(zeta=0, lam=v, rho=0, eta=1))) for v in lambdas]


def main(argv: list[str]) -> None:
    """Print one row a noise level and form."""
    del argv
    config = ct_lidc.get_config()
    config.method = "mgdm_no_ir"
    config.prior.path = "experiments/weights/chest_ct_held_back.safetensors"
    config.data.split, config.data.subject = "train", "lung1"
    config.data.n_images, config.sampler.n_steps = _SLICES.value, _STEPS.value
    peak = float(factory.build(config).measurements.measurement.max())
    print(markdown.head(["noise", "λ_t", *(f"λ = {v:g}" for v in LAMBDAS)]))
    for percent in map(float, _PERCENT.value):
        config.task.noise_std = percent / 100 * peak
        for follows in (False, True):
            config.guidance.lam_follows_noise = follows
            form = "λ + noise" if follows else "λ"
            cells = [f"{v:.2f}" for v in psnr_of(config, LAMBDAS)]
            print(markdown.row([f"{percent:g} %", form, *cells]), flush=True)


if __name__ == "__main__":
    app.run(main)
