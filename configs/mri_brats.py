"""Undersampled MRI of real-valued brains; paper section 4, BraTS (table 3, figure 2).

Embedded sample (test/colin27, 120x120), 4x equispaced columns with a centre block.

    python -m mgdm_jax.run --config configs/mri_brats.py
    python -m mgdm_jax.run --config configs/mri_brats.py --config.task.acceleration=8

`:smoke` takes seconds, `:demo` a minute or two; `:paper` holds the paper's settings
(240x240, ADM, 200 steps) and wants --config.data.path and --config.prior.path.
"""

from mgdm_jax import defaults

TUNED = {
    "4": {
        "mgdm": (2.0, 0.01, 0.0, 1.0),
        "mgdm_no_r": (2.0, 0.01, 0.0, 1.0),
        "mgdm_no_i": (0.0, 1.1e-5, 0.001, 1.0),
        "mgdm_no_ir": (0.0, 3.3e-5, 0.0, 1.0),
        "mgdm_no_pr": (0.75, 0.0, 0.0, 0.65),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 1.0),
        "dps": (2.67, 0.0, 0.0, 0.8),
    },
}
"""Level -> method -> zeta, lam, rho, eta, chosen on two slices of the validation
subject itk_mprage at 100 steps (`experiments.tune`; its searches lie in
`experiments/tuning`). Methods that are not here have the starting values of `defaults`.
"""


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.reconstruction()
    config.name = "mri_brats"
    defaults.set_tuned(config, TUNED)
    if arg == "paper":
        config.sampler.n_steps = 200  # A.5.1
        config.sampler.eta = 0.85
        return defaults.paper(config, image_size=240, channels=1)
    return defaults.shrink(config, arg)
