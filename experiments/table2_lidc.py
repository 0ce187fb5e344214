"""Table 2: sparse-view CT, beside the paper's; its DDNM has FBP for A†.

Which of the two forms with FBP it had it does not say (`guidance.proximal`): the
merged one is in its regime, the residual one diverges.

python -m experiments.table2_lidc
"""

from experiments import tables

ROWS = ("ddnm_fbp", "ddnm_fbp_merge", "ddnm", "score_med", "mgdm_no_r", "mgdm")

PAPER = {
    23: {
        "baseline": ("10.07 ± 1.40", "0.218 ± 0.070"),
        "ddnm_fbp_merge": ("23.76 ± 2.21", "0.624 ± 0.077"),
        "score_med": ("35.24 ± 2.71", "0.905 ± 0.046"),
        "mgdm_no_r": ("25.89 ± 2.43", "0.671 ± 0.069"),
        "mgdm": ("35.82 ± 2.45", "0.911 ± 0.052"),
    },
    10: {
        "ddnm_fbp_merge": ("18.35 ± 2.30", "0.696 ± 0.047"),
        "score_med": ("29.52 ± 2.63", "0.823 ± 0.061"),
        "mgdm_no_r": ("20.14 ± 2.35", "0.723 ± 0.043"),
        "mgdm": ("30.22 ± 2.48", "0.834 ± 0.056"),
    },
}
"""Number of views or acceleration -> row -> PSNR and SSIM as the paper prints them."""

if __name__ == "__main__":
    tables.run("table2_lidc", "ct_lidc", "LIDC, 350 steps", ROWS, PAPER)
