"""Inpainting of brains: 30 % of the pixels are known; paper section 5 (outlook).

Embedded sample (test/colin27, 120x120), numbers of MRI, not tuned for this task.

    python -m mgdm_jax.run --config configs/inpainting.py

`:smoke` takes seconds, `:demo` a minute or two; `:paper` is refused: the paper names
the task and no settings.
"""

from mgdm_jax import defaults


def get_config(arg: str = "") -> defaults.Config:
    config = defaults.reconstruction()
    config.name = "inpainting"
    config.task.kind = "inpainting"
    return defaults.shrink(config, arg)
