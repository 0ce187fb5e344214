"""What the pages say about the code is there."""

import ast
import re

import pages
import pytest

PACKAGE = pages.ROOT / "mgdm_jax"
TEXT = (pages.ROOT / "docs" / "algorithm.md").read_text()
ROW = re.compile(r"^\| (\d+) \|.*$", re.MULTILINE)
NAMED = re.compile(r"\[`([\w/]+)\.py: (\w+)`\]\[([\w.]+)\]")
ADDRESS = re.compile(r"https://(?:arxiv|doi|openreview)[^\s<>\"]*[\w/]")


def table():
    """Return the lines of Algorithm 2 in their order, as the page's first table."""
    first = TEXT[: TEXT.index("## One step by hand")]
    return list(ROW.finditer(first))


def test_every_line_of_the_algorithm_is_there():
    assert [int(row[1]) for row in table()] == list(range(1, 14))


@pytest.mark.parametrize("row", table(), ids=lambda row: f"line {row[1]}")
def test_a_line_names_functions_that_exist(row):
    named = NAMED.findall(row[0])
    assert named
    for module, function, link in named:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
        assert function in functions
        assert link == f"mgdm_jax.{module.replace('/', '.')}.{function}"


def test_files_that_pages_name_exist():
    """Of the repository, by their path from its root, or from the package's."""
    named = re.compile(
        r"`((?:mgdm_jax|experiments|tests|configs|operators|samplers|notebooks)/"
        r"[\w/*]+\.(?:py|md))[:`]"
    )
    paths = {
        path: page.name
        for page in pages.PAGES
        for path in named.findall(page.read_text())
    }
    assert len(paths) > 10
    for path, name in paths.items():
        assert [*pages.ROOT.glob(path), *PACKAGE.glob(path)], f"{name}: {path}"


def test_every_work_that_a_docstring_links_is_in_the_bibliography():
    listed = ADDRESS.findall((pages.ROOT / "docs" / "bibliography.md").read_text())
    linked = {
        address
        for path in PACKAGE.rglob("*.py")
        for address in ADDRESS.findall(path.read_text())
    }
    assert linked and linked <= set(listed)
