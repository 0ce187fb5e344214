"""What the tables quote of the paper: rows and levels that are, numbers that agree."""

import ast
import re

import pytest
from test_configs import ROOT

from experiments import rows
from mgdm_jax import tuned

FOLDER = ROOT.parent / "experiments"
LEVELS = {
    "table1_fastmri": tuned.MRI_COMPLEX,
    "table2_lidc": tuned.CT,
    "table3_brats_ablation": tuned.MRI_REAL,
}
"""Table -> the levels whose numbers were searched."""


def literals(name):
    """Return a script's constants; imported, it would define its flags here."""
    body = ast.parse((FOLDER / f"{name}.py").read_text()).body
    plain = [node for node in body if isinstance(node, ast.Assign)]
    constants = [node for node in plain if node.targets[0].id[0].isupper()]
    return {n.targets[0].id: ast.literal_eval(n.value) for n in constants}


def number(printed):
    """Return the first of "name: 12.3 ± 4.5", which is all that may be printed."""
    form = r"(?:[A-Za-z]+: )?(\d+\.\d+)(?: ± \d+\.\d+)?"
    return float(re.fullmatch(form, printed)[1])


@pytest.mark.parametrize("name", [*LEVELS, "table4_supervised"])
def test_every_quoted_row_is_one_of_ours(name):
    table = literals(name)
    levels = [str(v) for v in table.get("CASES", ())] or LEVELS[name]
    assert set(map(str, table["PAPER"])) <= set(levels)
    assert set(table["ROWS"]) <= set(rows.VARIANTS)
    for quoted in table["PAPER"].values():
        assert set(quoted) <= {"baseline", *table["ROWS"]} and "mgdm" in quoted
        for psnr, ssim in quoted.values():
            assert 10 < number(psnr) < 50 and 0.2 < number(ssim) < 1


@pytest.mark.parametrize("level", [8, 24])
def test_tables_3_and_4_quote_the_same_mgdm(level):
    ablation, supervised = (
        literals(name)["PAPER"]
        for name in ("table3_brats_ablation", "table4_supervised")
    )
    want = [number(value) for value in ablation[level]["mgdm"]]
    got = supervised["equispaced", float(level)]["mgdm"]
    assert [number(value) for value in got] == want
