"""What `tune` searches for each row: coordinates in their order, with candidates.

Candidates are log-spaced; the largest is doubled as long as it wins, so that an edge is
no choice. Numbers that are not searched are 0, or as `FIXED`.
"""

from collections.abc import Mapping

Space = Mapping[str, tuple[float, ...]]
"""Coordinate -> candidates, in the order of the search."""

ZETA = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
LAM = (1e-4, 1e-3, 1e-2, 5e-2, 0.2)
RHO = (0.0, 1e-3, 5e-3, 2e-2, 0.1, 0.3)
ETA = (0.3, 0.6, 0.85, 1.0)
SNR = (0.05, 0.1, 0.16, 0.25, 0.4, 0.6)
MERGE = (0.5, 0.72, 0.841, 1.0)

SPACES: dict[str, Space] = {
    "mgdm_no_ir": {"lam": LAM, "eta": ETA},
    "mgdm_no_i": {"rho": RHO, "eta": ETA, "lam": LAM},
    "mgdm_no_r": {"zeta": ZETA, "eta": ETA, "lam": LAM},
    "mgdm": {"zeta": ZETA, "eta": ETA, "lam": LAM, "rho": RHO},
    "mgdm_eq13": {"zeta": ZETA, "eta": ETA, "lam": (0.0, *LAM), "rho": RHO},
    "mgdm_no_pr": {"zeta": ZETA, "eta": ETA},
    "ddnm": {"eta": ETA},
    "ddnm_fbp": {"eta": ETA},
    "ddnm_fbp_merge": {"eta": ETA},
    "ddnm_plus": {"eta": ETA},
    "ddrm": {"eta": ETA},
    "dds": {"lam": (0.0, *LAM, 1.0), "eta": ETA},
    "diffpir": {"eta": ETA, "lam": (1.0, 3.0, 7.0, 15.0, 30.0)},
    "pigdm": {"zeta": ZETA, "eta": ETA},
    "mcg": {"zeta": ZETA, "eta": ETA},
    "dps": {"zeta": ZETA, "eta": ETA},
    "pigdm_fresh": {"zeta": ZETA, "eta": ETA},
    "mcg_fresh": {"zeta": ZETA, "eta": ETA},
    "dps_fresh": {"zeta": ZETA, "eta": ETA},
    "dps_1000": {"zeta": ZETA, "eta": ETA},
    "red_diff": {"zeta": (0.01, 0.02, 0.05, 0.1), "lam": (0.03, 0.1, 0.25, 1.0)},
    "score_med": {"zeta": SNR, "lam": MERGE},
    "score_mri": {"zeta": SNR},
    "csgm_langevin": {"zeta": (0.01, 0.03, 0.1, 0.3)},
    "least_squares": {"lam": LAM},
    "tv": {"lam": LAM},
    "wavelets": {"lam": LAM},
}
"""Rows of `rows.VARIANTS`; those of `FAMILY` grow, so that each starts well."""

FIXED = {"score_mri": {"lam": 1.0}}
"""Numbers that are neither searched nor 0: Score-MRI merges all of y."""

MOST = {"score_med": {"lam": 1.0}}
"""Largest value of a coordinate where it has one; η's is 1 everywhere."""

FAMILY = ("mgdm_no_ir", "mgdm_no_i", "mgdm_no_r", "mgdm")
"""Rows that are MGDM with some numbers zero."""

NUMBERS = ("zeta", "lam", "rho", "eta")

_START = {"zeta": 0.5, "lam": 1e-3, "rho": 0.0, "eta": 0.85}


def start(name: str) -> dict[str, float]:
    """Return the numbers a row starts from: the usual ones, or the middle candidates.

    Args:
      name: a row of `SPACES`.
    """
    numbers = {}
    for coordinate, usual in _START.items():
        values = SPACES[name].get(coordinate, (0.0,))
        numbers[coordinate] = usual if usual in values else values[len(values) // 2]
    return numbers | FIXED.get(name, {})
