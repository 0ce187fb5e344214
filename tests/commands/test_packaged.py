"""Configurations by name, and what the wheel and its metadata hold."""

import re
import shutil
import tomllib
from pathlib import Path

import command_server
import pytest
import test_configs

import mgdm_jax
from mgdm_jax.commands import packaged

ROOT = Path(__file__).parents[2]
NAMES = (*packaged.tasks(), *packaged.trainings())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def empty(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def load(path):
    """Return the configuration of `FILE` or `FILE:VARIANT`."""
    file, _, variant = path.partition(":")
    return test_configs.load(Path(file), variant)


def test_every_configuration_has_a_name():
    files = (ROOT / "configs").rglob("*.py")
    assert len(NAMES) > 8
    assert {f"{name}.py" for name in NAMES} == {
        path.relative_to(ROOT / "configs").as_posix() for path in files
    }


@pytest.mark.parametrize("variant", ["", ":smoke"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_the_file(name, variant, empty):
    resolved = load(packaged.resolve(name + variant))
    assert resolved.to_json() == load(f"{ROOT}/configs/{name}.py{variant}").to_json()


def test_the_wheel_has_them_inside(empty, monkeypatch):
    """As hatch lays them out; a folder `configs` beside the package is another's."""
    site = empty / "site-packages"
    inside = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, target in inside.items():
        shutil.copytree(ROOT / source, site / target)
    (site / "configs").mkdir()
    (site / "configs" / "theirs.py").write_text("")
    monkeypatch.setattr(packaged, "PACKAGE", site / "mgdm_jax")
    assert (*packaged.tasks(), *packaged.trainings()) == NAMES
    assert (
        packaged.resolve("ct_lidc:smoke") == f"{site}/mgdm_jax/configs/ct_lidc.py:smoke"
    )


def test_a_file_of_that_name_goes_first(empty):
    for name in ("ct_lidc", "mine.py", "absent/../mine.py"):
        Path(name.rpartition("/")[2]).write_text("")
    Path("absent").mkdir()
    Path("mri_brats").mkdir()
    for given in ("ct_lidc:smoke", "mine.py", "absent/../mine.py:big"):
        assert packaged.resolve(given) == given
    assert packaged.resolve("mri_brats") != "mri_brats"  # a folder is no configuration


@pytest.mark.parametrize(
    "flag", [["--config", "ct_lidc:smoke"], ["--config=ct_lidc:smoke"]]
)
def test_both_forms_of_the_flag_name_it(flag, empty):
    done = command_server.run("run", *flag, "--config.sampler.n_steps=0", cwd=empty)
    assert done.code == 2
    assert done.err == "error: sampler.n_steps must be at least 1, got 0.\n"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("ct_lidcs:smoke", "ct_lidc"),
        ("mri-brats", "mri_brats"),
        ("brain_t1", "priors/brain_t1"),
        ("configs/mri_brats.py", "mri_brats"),
        ("/elsewhere/configs/priors/chest_ct.py:smoke", "priors/chest_ct"),
        ("", ""),
        ("zzz", ""),
    ],
)
def test_an_unknown_name_is_told_the_nearest(given, meant, empty):
    done = command_server.run("run", f"--config={given}", cwd=empty)
    assert done.code == 2
    assert done.err.startswith("error: no configuration ")
    assert done.err.count("\n") == 1
    assert all(name in done.err for name in NAMES)
    assert done.err.rstrip().endswith(f"did you mean {meant}?") == bool(meant)
    assert ("did you mean" in done.err) == bool(meant)
    assert not list(empty.iterdir())


def test_what_the_metadata_names_is_there():
    project = PROJECT["project"]
    assert project["scripts"] == {"mgdm-jax": "mgdm_jax.cli:main"}
    assert all((ROOT / file).is_file() for file in project["license-files"])
    citation = (ROOT / "CITATION.cff").read_text()
    (version,) = re.findall(r"^version: (.*)$", citation, re.M)
    assert version == mgdm_jax.__version__


def test_every_scan_of_the_sample_has_its_licence():
    folder = ROOT / "mgdm_jax" / "assets" / "sample"
    table = re.findall(r"^\| (t\w+/\w+) \|", (folder / "README.md").read_text(), re.M)
    texts = (folder / "LICENSES.txt").read_text()
    assert len(table) == 7
    assert all(re.search(rf"\b{scan}\b", texts) for scan in table)
