"""Table 3: ablations on undersampled MRI of real images, beside the paper's.

python -m experiments.table3_brats_ablation
"""

from experiments import tables

ROWS = (
    "dps",
    "dps_1000",
    "ddnm",
    "mgdm_no_pr",
    "mgdm_no_ir",
    "mgdm_no_r",
    "mgdm_no_i",
    "mgdm",
)

PAPER = {
    4: {
        "dps": ("37.84 ± 2.26", "0.948 ± 0.018"),
        "ddnm": ("39.92 ± 2.35", "0.965 ± 0.012"),
        "mgdm_no_pr": ("32.38 ± 1.89", "0.874 ± 0.030"),
        "mgdm_no_ir": ("39.97 ± 2.31", "0.969 ± 0.011"),
        "mgdm_no_r": ("41.54 ± 2.90", "0.980 ± 0.008"),
        "mgdm_no_i": ("41.37 ± 2.72", "0.967 ± 0.009"),
        "mgdm": ("41.94 ± 2.88", "0.977 ± 0.008"),
    },
    8: {
        "dps": ("35.98 ± 2.15", "0.939 ± 0.020"),
        "ddnm": ("35.18 ± 2.10", "0.940 ± 0.017"),
        "mgdm_no_pr": ("29.56 ± 2.01", "0.845 ± 0.034"),
        "mgdm_no_ir": ("35.36 ± 2.03", "0.943 ± 0.015"),
        "mgdm_no_r": ("38.02 ± 2.31", "0.961 ± 0.009"),
        "mgdm_no_i": ("37.06 ± 2.04", "0.923 ± 0.011"),
        "mgdm": ("38.46 ± 2.54", "0.964 ± 0.011"),
    },
    24: {
        "dps": ("29.46 ± 3.66", "0.815 ± 0.067"),
        "ddnm": ("27.09 ± 2.94", "0.841 ± 0.049"),
        "mgdm_no_pr": ("23.16 ± 2.53", "0.794 ± 0.044"),
        "mgdm_no_ir": ("27.36 ± 2.78", "0.849 ± 0.041"),
        "mgdm_no_r": ("29.87 ± 3.31", "0.887 ± 0.036"),
        "mgdm_no_i": ("28.37 ± 3.23", "0.832 ± 0.047"),
        "mgdm": ("30.04 ± 3.33", "0.887 ± 0.039"),
    },
}
"""Number of views or acceleration -> row -> PSNR and SSIM as the paper prints them."""

if __name__ == "__main__":
    tables.run("table3_brats_ablation", "mri_brats", "BraTS, 200 steps", ROWS, PAPER)
