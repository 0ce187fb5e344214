"""The notebooks are what their scripts say, and run from top to bottom."""

import importlib.util
import json
import os
import subprocess
import sys

import jupytext
import nbclient
import nbformat
import pages
import pytest
import tiny

FOLDER = pages.ROOT / "notebooks"
spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


def environment(folder):
    """Return that of a user's machine: no display, a cache of its own."""
    return os.environ | {"MPLBACKEND": "agg", "IPYTHONDIR": str(folder / "ipython")}


@pytest.mark.parametrize("name", build.NAMES)
def test_is_in_step_with_its_script(name):
    written = (FOLDER / f"{name}.ipynb").read_text()
    assert written == build.notebook(name), "make notebooks"


@pytest.mark.parametrize("name", build.NAMES)
def test_has_a_badge_and_no_output(name):
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"]
    address = f"colab.research.google.com/github/{build.repository()}/blob/main/"
    assert f"{address}notebooks/{name}.ipynb" in "".join(cells[0]["source"])
    assert "pip" in "".join(cells[1]["source"])
    programs = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in programs)


def test_every_script_is_a_notebook():
    scripts = {path.stem for path in FOLDER.glob("*.py")}
    assert scripts == {*build.NAMES, "first_cells", "build"}
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(build.NAMES)


@pytest.mark.docs
@pytest.mark.parametrize("name", build.NAMES[1:])
def test_runs_from_top_to_bottom(name, tmp_path):
    """With a prior of a few weights: those that are shipped take most of the time."""
    path, text = tmp_path / f"{name}.py", jupytext.writes(read(name), fmt="py:percent")
    shipped = 'load_prior("brain_complex")', 'load_prior("brain_t1")'
    assert sum(map(text.count, shipped)) == 1
    for n_channels, loading in zip((2, 1), shipped, strict=True):
        prior = tiny.write_prior(tmp_path, channels=n_channels)
        text = text.replace(loading, f"load_prior({prior!r})")
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, path],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.docs
def test_quickstart_runs_in_a_kernel(tmp_path, monkeypatch):
    """The notebook itself, as Jupyter runs it, figures and all."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    done = read("quickstart")
    client = nbclient.NotebookClient(
        done, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [
        kind
        for cell in done.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        for kind in output.get("data", ())
    ]
    assert shown.count("image/png") == 2


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def test_the_placeholder_is_in_one_place():
    """Of what is written by hand: whoever knows the address changes one line."""
    suffixes = (".md", ".py", ".yml", ".toml", ".cff")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=pages.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [
        path
        for path in listed.stdout.splitlines()
        if path.endswith(suffixes)
        and not path.startswith("tests/")
        and build.repository() in (pages.ROOT / path).read_text()
    ]
    assert found == ["mkdocs.yml"]
