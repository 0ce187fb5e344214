"""Table 1: undersampled MRI of complex images (simulated phase), beside the paper's.

python -m experiments.table1_fastmri
"""

from experiments import tables

ROWS = ("dps", "dps_1000", "ddnm", "score_mri", "mgdm")

PAPER = {
    4: {
        "dps": ("22.41 ± 3.33", "0.650 ± 0.080"),
        "ddnm": ("35.87 ± 2.68", "0.873 ± 0.065"),
        "score_mri": ("33.96 ± 1.27", "0.858 ± 0.028"),
        "mgdm": ("36.94 ± 2.70", "0.888 ± 0.062"),
    },
    8: {
        "dps": ("21.87 ± 2.91", "0.607 ± 0.076"),
        "ddnm": ("34.04 ± 2.70", "0.847 ± 0.071"),
        "score_mri": ("30.82 ± 1.37", "0.762 ± 0.034"),
        "mgdm": ("34.98 ± 2.66", "0.856 ± 0.070"),
    },
}
"""Number of views or acceleration -> row -> PSNR and SSIM as the paper prints them."""

if __name__ == "__main__":
    tables.run("table1_fastmri", "mri_fastmri", "fastMRI, 100 steps", ROWS, PAPER)
