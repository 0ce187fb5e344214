"""Sparse-view CT; paper section 4, LIDC (table 2, figure 5).

Embedded sample (test/lung2, 160x160), 23 parallel-beam views over 180 degrees.

    python -m mgdm_jax.run --config configs/ct_lidc.py
    python -m mgdm_jax.run --config configs/ct_lidc.py --config.task.n_views=10

Where ζ, λ, ρ, η of each method and level were chosen, `mgdm_jax.tuned` says.

`:smoke` takes seconds, `:demo` a minute or two; `:paper` holds the paper's settings
(320x320, ADM, 350 steps) and wants --config.data.path and --config.prior.path.
"""

from mgdm_jax import defaults, tuned


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.reconstruction()
    config.name = "ct_lidc"
    config.task.kind = "ct"
    config.data.modality = "chest"
    config.data.subject = "lung2"
    config.prior.path = "chest_ct"
    defaults.set_tuned(config, tuned.CT)
    if arg == "paper":
        config.sampler.n_steps = 350  # A.5.1
        config.sampler.eta = 0.9
        return defaults.paper(config, image_size=320, channels=1)
    return defaults.shrink(config, arg)
