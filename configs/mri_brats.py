"""Undersampled MRI of real-valued brains; paper section 4, BraTS (table 3, figure 2).

Embedded sample (test/colin27, 120x120), 4x equispaced columns with a centre block.

    python -m mgdm_jax.run --config configs/mri_brats.py
    python -m mgdm_jax.run --config configs/mri_brats.py --config.task.acceleration=8

Where ζ, λ, ρ, η of each method and level were chosen, `mgdm_jax.tuned` says.

`:smoke` takes seconds, `:demo` a minute or two; `:paper` holds the paper's settings
(240x240, ADM, 200 steps) and wants --config.data.path and --config.prior.path.
"""

from mgdm_jax import defaults, tuned


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.reconstruction()
    config.name = "mri_brats"
    defaults.set_tuned(config, tuned.MRI_REAL)
    if arg == "paper":
        config.sampler.n_steps = 200  # A.5.1
        config.sampler.eta = 0.85
        return defaults.paper(config, image_size=240, channels=1)
    return defaults.shrink(config, arg)
