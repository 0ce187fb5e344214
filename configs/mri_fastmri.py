"""Undersampled MRI of complex images; paper section 4, fastMRI (table 1, figure 4).

Embedded sample (test/colin27, 120x120) under a simulated smooth phase, 4x Gaussian 1-D
columns, single coil; `--config.task.n_coils=8` simulates birdcage coils.

    python -m mgdm_jax.run --config configs/mri_fastmri.py

Where ζ, λ, ρ, η of each method and level were chosen, `mgdm_jax.tuned` says.

`:smoke` takes seconds, `:demo` a minute or two; `:paper` holds the paper's settings
(320x320, ADM, 100 steps) and wants --config.data.path and --config.prior.path.
"""

from mgdm_jax import defaults, tuned


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.reconstruction()
    config.name = "mri_fastmri"
    config.task.kind = "mri_complex"
    config.task.mask = "gaussian1d"
    config.prior.path = "brain_complex"
    defaults.set_tuned(config, tuned.MRI_COMPLEX)
    if arg == "paper":
        config.sampler.n_steps = 100  # A.5.1
        config.sampler.eta = 0.85
        return defaults.paper(config, image_size=320, channels=2)
    return defaults.shrink(config, arg)
