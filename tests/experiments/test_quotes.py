"""What the tables quote of the paper: rows and levels that are, numbers that agree."""

import ast
import re

import numpy as np
import pytest
from test_configs import ROOT

from experiments import quoted, report, rows
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
    for lines in table["PAPER"].values():
        assert set(lines) <= {"baseline", *table["ROWS"]} and "mgdm" in lines
        for psnr, ssim in lines.values():
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


@pytest.fixture
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT.parent)


@pytest.mark.parametrize("page", quoted.PAGES, ids=str)
def test_pages_hold_the_tables_as_they_are_now(page, at_root):
    text = page.read_text()
    assert text.count("<!-- ") >= (1 if page.name == "README.md" else 13)
    assert quoted.refreshed(text) == text


@pytest.mark.parametrize("stem", [stem for stem, *_ in quoted.TASKS.values()])
def test_tables_hold_the_results_as_they_are_now(stem, at_root):
    printed = quoted.table(f"{stem}-100steps.md").splitlines()[3:]
    found = quoted.kept(stem)
    assert {line.split(" | ")[0].removeprefix("| ") for line in printed} == set(found)
    for line in printed:
        name, _, psnr, ssim, lead, *_ = line.removeprefix("| ").split(" | ")
        scored = found[name]
        for cell, values in ((psnr, scored["psnr"]), (ssim, scored["ssim"])):
            assert float(cell.split()[0]) == pytest.approx(np.mean(values), abs=6e-3)
        assert name == "mgdm" or lead == report.lead(found["mgdm"], scored)


def test_a_stale_table_is_replaced_and_what_is_about_it_stays(at_root):
    stale = "before\n> <!-- scores -->\n> | old |\n> | 1 |\n> after\n"
    got = quoted.refreshed(stale).splitlines()
    assert got[:2] == ["before", "> <!-- scores -->"] and got[-1] == "> after"
    assert got[2:-1] == [f"> {line}" for line in quoted.scores().splitlines()]
