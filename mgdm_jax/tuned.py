"""ζ, λ, ρ, η chosen on validation subjects, and where each number came from.

Level -> method -> (zeta, lam, rho, eta); a level is an acceleration or number of views,
`_noisy` behind it for noisy measurements. Methods that are not there have those of
`STARTING`. The priors are the held-back ones of `experiments/weights`, which
have not met those subjects: `--config.prior.path=experiments/weights/….safetensors`.
"""

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

MRI_REAL = {
    "4": {
        "mgdm": (2.0, 9e-4, 0.0, 1.0),
        "mgdm_no_r": (2.0, 3e-4, 0.0, 1.0),
        "mgdm_no_i": (0.0, 3.3e-5, 0.2, 1.0),
        "mgdm_no_ir": (0.0, 3.3e-5, 0.0, 1.0),
        "mgdm_no_pr": (0.5, 0.0, 0.0, 1.0),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 1.0),
        "diffpir": (0.0, 7.0, 0.0, 1.0),
        "pigdm": (1.33, 0.0, 0.0, 1.0),
        "mcg": (3.56, 0.0, 0.0, 1.0),
        "red_diff": (0.169, 0.1, 0.0, 0.0),
        "dps": (2.67, 0.0, 0.0, 1.0),
        "dps_1000": (0.889, 0.0, 0.0, 1.0),
        "least_squares": (0.0, 1e-4, 0.0, 0.0),
        "tv": (0.0, 0.01, 0.0, 0.0),
        "wavelets": (0.0, 1e-4, 0.0, 0.0),
        "pigdm_fresh": (1.33, 0.0, 0.0, 1.0),
        "dps_fresh": (4.0, 0.0, 0.0, 1.0),
        "mcg_fresh": (5.33, 0.0, 0.0, 1.0),
        "csgm_langevin": (0.6, 0.0, 0.0, 0.0),
        "score_med": (1.8, 1.0, 0.0, 0.0),
        "score_mri": (1.8, 1.0, 0.0, 0.0),
    },
    "8": {
        "mgdm": (2.0, 0.03, 0.0, 1.0),
        "mgdm_no_r": (2.0, 0.03, 0.0, 1.0),
        "mgdm_no_i": (0.0, 3e-4, 0.16, 1.0),
        "mgdm_no_ir": (0.0, 3.3e-5, 0.0, 1.0),
        "mgdm_no_pr": (0.375, 0.0, 0.0, 0.4),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 1.0),
        "diffpir": (0.0, 7.0, 0.0, 1.0),
        "pigdm": (1.33, 0.0, 0.0, 1.0),
        "mcg": (2.0, 0.0, 0.0, 1.0),
        "red_diff": (0.101, 0.09, 0.0, 0.0),
        "dps": (1.78, 0.0, 0.0, 1.0),
        "dps_1000": (0.444, 0.0, 0.0, 1.0),
        "least_squares": (0.0, 3.33e-4, 0.0, 0.0),
        "tv": (0.0, 0.01, 0.0, 0.0),
        "wavelets": (0.0, 3e-4, 0.0, 0.0),
        "pigdm_fresh": (1.33, 0.0, 0.0, 0.9),
        "dps_fresh": (5.33, 0.0, 0.0, 1.0),
        "mcg_fresh": (5.33, 0.0, 0.0, 1.0),
        "csgm_langevin": (0.6, 0.0, 0.0, 0.0),
        "score_mri": (0.6, 1.0, 0.0, 0.0),
    },
    "24": {
        "mgdm": (0.667, 1.11e-5, 0.001, 1.0),
        "mgdm_no_r": (0.667, 3.33e-5, 0.0, 1.0),
        "mgdm_no_i": (0.0, 0.0167, 0.02, 1.0),
        "mgdm_no_ir": (0.0, 1.11e-5, 0.0, 0.8),
        "mgdm_no_pr": (0.562, 0.0, 0.0, 1.0),
        "ddnm": (0.0, 0.0, 0.0, 0.8),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 0.8),
        "diffpir": (0.0, 7.0, 0.0, 1.0),
        "pigdm": (1.33, 0.0, 0.0, 1.0),
        "mcg": (1.0, 0.0, 0.0, 1.0),
        "red_diff": (0.00296, 0.01, 0.0, 0.0),
        "dps": (0.75, 0.0, 0.0, 1.0),
        "dps_1000": (0.148, 0.0, 0.0, 1.0),
        "least_squares": (0.0, 3.33e-4, 0.0, 0.0),
        "tv": (0.0, 0.01, 0.0, 0.0),
        "wavelets": (0.0, 0.001, 0.0, 0.0),
        "pigdm_fresh": (1.33, 0.0, 0.0, 1.0),
        "dps_fresh": (2.67, 0.0, 0.0, 1.0),
        "mcg_fresh": (4.5, 0.0, 0.0, 1.0),
        "csgm_langevin": (0.6, 0.0, 0.0, 0.0),
    },
}
"""Four inner slices of itk_mprage, 100 steps, equispaced columns, brain_t1_held_back:
`python -m experiments.tune --config configs/mri_brats.py --subject itk_mprage`, at 8x
and 24x with `--config.task.acceleration=8` or 24. On one slice `dps_1000` at 4x and 8x,
`score_med` and `score_mri`, all of 1,000 steps, and `csgm_langevin` of 333."""

MRI_COMPLEX = {
    "4": {
        "mgdm": (2.0, 0.05, 0.04, 1.0),
        "mgdm_no_r": (2.0, 0.003, 0.0, 1.0),
        "mgdm_no_i": (0.0, 3.3e-5, 0.2, 1.0),
        "mgdm_no_ir": (0.0, 3.33e-5, 0.0, 1.0),
        "mgdm_no_pr": (0.5, 0.0, 0.0, 1.0),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 1.0),
        "diffpir": (0.0, 7.0, 0.0, 1.0),
        "pigdm": (1.0, 0.0, 0.0, 1.0),
        "mcg": (8.0, 0.0, 0.0, 1.0),
        "red_diff": (0.1, 0.0833, 0.0, 0.0),
        "dps": (3.56, 0.0, 0.0, 1.0),
        "dps_1000": (1.33, 0.0, 0.0, 1.0),
        "score_mri": (0.9, 1.0, 0.0, 0.0),
        "least_squares": (0.0, 3e-4, 0.0, 0.0),
        "tv": (0.0, 0.003, 0.0, 0.0),
        "wavelets": (0.0, 0.001, 0.0, 0.0),
        "pigdm_fresh": (1.0, 0.0, 0.0, 1.0),
        "dps_fresh": (3.56, 0.0, 0.0, 0.8),
        "mcg_fresh": (5.33, 0.0, 0.0, 1.0),
        "csgm_langevin": (0.6, 0.0, 0.0, 0.0),
        "score_med": (0.8, 1.0, 0.0, 0.0),
    },
    "8": {
        "mgdm": (3.0, 0.00111, 0.0, 1.0),
        "mgdm_no_r": (3.0, 0.00333, 0.0, 1.0),
        "mgdm_no_i": (0.0, 0.0167, 0.15, 1.0),
        "mgdm_no_ir": (0.0, 3.33e-5, 0.0, 1.0),
        "mgdm_no_pr": (0.5, 0.0, 0.0, 1.0),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 1.0),
        "diffpir": (0.0, 7.0, 0.0, 1.0),
        "pigdm": (1.33, 0.0, 0.0, 1.0),
        "mcg": (8.0, 0.0, 0.0, 1.0),
        "red_diff": (0.075, 0.1, 0.0, 0.0),
        "dps": (5.33, 0.0, 0.0, 1.0),
        "dps_1000": (1.33, 0.0, 0.0, 1.0),
        "score_mri": (1.35, 1.0, 0.0, 0.0),
        "least_squares": (0.0, 1e-4, 0.0, 0.0),
        "tv": (0.0, 0.01, 0.0, 0.0),
        "wavelets": (0.0, 0.001, 0.0, 0.0),
        "pigdm_fresh": (1.0, 0.0, 0.0, 1.0),
        "dps_fresh": (3.56, 0.0, 0.0, 0.75),
        "mcg_fresh": (8.0, 0.0, 0.0, 1.0),
        "csgm_langevin": (0.6, 0.0, 0.0, 0.0),
        "score_med": (1.2, 1.0, 0.0, 0.0),
    },
    "4_noisy": {
        "mgdm_no_ir": (0.0, 3.33e-5, 0.0, 1.0),
        "mgdm_no_r": (0.667, 1.2, 0.0, 1.0),
        "mgdm_no_i": (0.0, 3.33e-5, 0.2, 1.0),
        "mgdm": (0.667, 1.2, 0.0, 1.0),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "tv": (0.0, 3.33e-3, 0.0, 0.0),
    },
}
"""Four inner slices of itk_mprage, simulated phase, 100 steps, Gaussian columns,
brain_complex_held_back: `python -m experiments.tune --config configs/mri_fastmri.py
--subject itk_mprage`, at 8x with `--config.task.acceleration=8` and, noisy,
`--config.task.noise_std=0.02`: 2 % of the image's maximum in either part of k-space; λ
has the noise's share added. 1,000 steps for `score_mri` and, on one inner slice,
`score_med` and `dps_1000`, 333 on one for `csgm_langevin`."""

CT = {
    "23": {
        "mgdm": (10.7, 1.1e-5, 0.001, 1.0),
        "mgdm_no_r": (10.7, 3.3e-5, 0.0, 1.0),
        "mgdm_no_i": (0.0, 3.33e-5, 0.15, 1.0),
        "mgdm_no_ir": (0.0, 3.33e-5, 0.0, 1.0),
        "mgdm_no_pr": (1.0, 0.0, 0.0, 0.2),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddnm_fbp": (0.0, 0.0, 0.0, 1.0),
        "ddnm_fbp_merge": (0.0, 0.0, 0.0, 0.6),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 1.0),
        "diffpir": (0.0, 15.0, 0.0, 1.0),
        "pigdm": (1.33, 0.0, 0.0, 1.0),
        "mcg": (12.0, 0.0, 0.0, 1.0),
        "red_diff": (0.05, 0.01, 0.0, 0.0),
        "dps": (2.67, 0.0, 0.0, 0.2),
        "dps_1000": (0.889, 0.0, 0.0, 0.1),
        "score_med": (1.2, 1.0, 0.0, 0.0),
        "least_squares": (0.0, 3.33e-5, 0.0, 0.0),
        "tv": (0.0, 3.33e-4, 0.0, 0.0),
        "wavelets": (0.0, 3e-4, 0.0, 0.0),
        "csgm_langevin": (0.6, 0.0, 0.0, 0.0),
        "pigdm_fresh": (1.33, 0.0, 0.0, 0.5),
        "mcg_fresh": (12.0, 0.0, 0.0, 1.0),
        "score_mri": (0.9, 1.0, 0.0, 0.0),
    },
    "10": {
        "mgdm": (0.75, 3.33e-5, 0.3, 1.0),
        "mgdm_no_r": (2.67, 3.33e-4, 0.0, 1.0),
        "mgdm_no_i": (0.0, 3.33e-4, 0.15, 1.0),
        "mgdm_no_ir": (0.0, 3.33e-5, 0.0, 1.0),
        "mgdm_no_pr": (1.0, 0.0, 0.0, 0.2),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddnm_fbp": (0.0, 0.0, 0.0, 1.0),
        "ddnm_fbp_merge": (0.0, 0.0, 0.0, 0.3),
        "ddrm": (0.0, 0.0, 0.0, 1.0),
        "dds": (0.0, 0.0, 0.0, 1.0),
        "diffpir": (0.0, 7.0, 0.0, 1.0),
        "pigdm": (1.33, 0.0, 0.0, 1.0),
        "mcg": (10.7, 0.0, 0.0, 1.0),
        "red_diff": (0.05, 0.01, 0.0, 0.0),
        "dps": (2.67, 0.0, 0.0, 1.0),
        "dps_1000": (0.889, 0.0, 0.0, 0.5),
        "score_med": (1.2, 1.0, 0.0, 0.0),
        "least_squares": (0.0, 3.33e-5, 0.0, 0.0),
        "tv": (0.0, 0.001, 0.0, 0.0),
        "wavelets": (0.0, 3e-4, 0.0, 0.0),
        "pigdm_fresh": (1.33, 0.0, 0.0, 1.0),
        "dps_fresh": (2.67, 0.0, 0.0, 0.1),
        "mcg_fresh": (10.7, 0.0, 0.0, 1.0),
        "csgm_langevin": (0.6, 0.0, 0.0, 0.0),
    },
    "23_noisy": {
        "mgdm": (0.667, 3.33e-4, 0.3, 1.0),
        "mgdm_no_r": (4.0, 0.001, 0.0, 1.0),
        "mgdm_no_i": (0.0, 3.33e-4, 0.15, 1.0),
        "mgdm_no_ir": (0.0, 3.33e-5, 0.0, 1.0),
        "mgdm_no_pr": (1.0, 0.0, 0.0, 0.2),
        "ddnm": (0.0, 0.0, 0.0, 1.0),
        "ddnm_fbp_merge": (0.0, 0.0, 0.0, 0.7),
        "ddnm_plus": (0.0, 0.0, 0.0, 0.9),
        "ddrm": (0.0, 0.0, 0.0, 0.9),
        "dds": (0.0, 0.03, 0.0, 1.0),
        "diffpir": (0.0, 0.333, 0.0, 1.0),
        "pigdm": (1.33, 0.0, 0.0, 1.0),
        "mcg": (1.33, 0.0, 0.0, 0.2),
        "red_diff": (0.133, 0.03, 0.0, 0.0),
        "dps": (3.56, 0.0, 0.0, 0.5),
        "dps_1000": (1.33, 0.0, 0.0, 0.1),
        "score_med": (0.0333, 0.00617, 0.0, 0.0),
        "least_squares": (0.0, 0.00333, 0.0, 0.0),
        "tv": (0.0, 0.001, 0.0, 0.0),
        "wavelets": (0.0, 0.003, 0.0, 0.0),
        "ddnm_fbp": (0.0, 0.0, 0.0, 1.0),
        "pigdm_fresh": (1.33, 0.0, 0.0, 1.0),
        "dps_fresh": (2.67, 0.0, 0.0, 0.2),
    },
}
"""Four inner slices of lung1, 100 steps (1,000 for `score_med`, `dps_1000` and, on one
slice, `score_mri`, 333 on one for `csgm_langevin`), chest_ct_held_back: `python -m
experiments.tune --config configs/ct_lidc.py --subject lung1`, at 10 views with
`--config.task.n_views=10` and, noisy, `--config.task.noise_std=0.01`: about 1 % of a
sinogram's maximum; λ has the noise's share added. With FBP for a pseudo-inverse in
DDNM's residual form (`ddnm_fbp`) every η diverges. MGDM's ζ at 23 views is a stride
below the best, 16, as all slices diverge at 24; noisy it is one below 1 for the like
reason."""

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
