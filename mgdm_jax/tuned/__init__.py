"""ζ, λ, ρ, η chosen on validation subjects, and where each number came from.

Level -> method -> (zeta, lam, rho, eta); a level is an acceleration or number of views,
`_noisy` behind it for noisy measurements. Methods that are not there have those of
`STARTING`. The priors are the held-back ones of `experiments/weights`, which
have not met those subjects: `--config.prior.path=experiments/weights/….safetensors`.
"""

from mgdm_jax.tuned.ct import CT
from mgdm_jax.tuned.mri_complex import MRI_COMPLEX
from mgdm_jax.tuned.mri_real import MRI_REAL

STARTING = {
    "mgdm": (1.0, 1e-3, 0.02, 1.0),
    "mgdm_no_pr": (0.5, 0.0, 0.0, 0.85),
    "mgdm_no_ir": (0.0, 1e-2, 0.0, 1.0),
    "mgdm_no_i": (0.0, 1e-3, 0.01, 1.0),
    "mgdm_no_r": (1.5, 1e-3, 0.0, 1.0),
    "ddim": (0.0, 0.0, 0.0, 1.0),
    "ddnm": (0.0, 0.0, 0.0, 1.0),
    "ddnm_plus": (0.0, 0.0, 0.0, 1.0),
    "dps": (3.0, 0.0, 0.0, 1.0),
    "ddrm": (0.0, 0.0, 0.0, 0.85),
    "dds": (0.0, 0.0, 0.0, 0.85),
    "diffpir": (0.0, 7.0, 0.0, 0.55),
    "mcg": (3.0, 0.0, 0.0, 1.0),
    "pigdm": (1.0, 0.0, 0.0, 1.0),
    "red_diff": (0.05, 0.25, 0.0, 0.0),
    "score_med": (0.517, 1.0, 0.0, 0.0),
    "score_mri": (0.16, 1.0, 0.0, 0.0),
    "csgm_langevin": (0.1, 0.0, 0.0, 0.0),
}
"""Method -> numbers NOT yet chosen on validation, for every task and level alike.

For tasks that `experiments.tune` has not been run on: the better of two to four
settings each on two validation slices (itk_mprage, 4x, 25 or 50 steps, brain priors of
2,000 and 2,750 steps). Rivals had no equal search: DPS's step is the largest tried; eta
of `mgdm_no_pr`, lam, rho of others and all of `ddnm_plus` were not searched at all;
`ddrm`, `diffpir`, `pigdm`, `score_med` (its BraTS) and `score_mri` hold their papers'
numbers, `red_diff` its paper's but for another scale; the rest are guesses. λ = 0 of
`dds` is for data without noise. They serve CT as well, where nothing was probed.
"""

MASKS = {"mri_real": "equispaced", "mri_complex": "gaussian1d"}
"""Values of `config.task.kind` -> the mask that its numbers were chosen under."""

PRIORS = {"mri_real": "brain_t1", "mri_complex": "brain_complex", "ct": "chest_ct"}
"""Values of `config.task.kind` -> the shipped prior that its numbers are for.

They were searched with its `_held_back`, of the same network.
"""

USUAL_STEPS = 100
"""`sampler.n_steps` that numbers were chosen at, unless `STEPS` says otherwise."""

STEPS = {"score_med": 1000, "score_mri": 1000, "csgm_langevin": 333}
"""Values of `config.method` -> the steps that its numbers were chosen at."""

NOISE_STD = {"mri_complex": 0.02, "ct": 0.01}
"""Values of `config.task.kind` -> `task.noise_std` of its levels `_noisy`.

No numbers were chosen at low doses.
"""

BY_KIND = {"mri_real": MRI_REAL, "mri_complex": MRI_COMPLEX, "ct": CT}
"""Values of `config.task.kind` -> the numbers of its task."""
