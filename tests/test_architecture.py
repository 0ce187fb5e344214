"""Imports keep their direction and third parties their fence; files stay small."""

import ast
import graphlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

from mgdm_jax import cli

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mgdm_jax"
FILES = sorted(PACKAGE.rglob("*.py"))

FENCES = {
    "flax": ("networks/",),
    "orbax": ("training/checkpoints.py",),
    "grain": ("data/", "training/checkpoints.py"),
    "h5py": ("data/",),
    "ml_collections": (
        "defaults.py",
        "training/defaults.py",
        "run.py",
        "sweep.py",
        "train.py",
    ),
    "absl": (
        "commands/console.py",
        "commands/help_pages.py",
        "commands/launch.py",
        "compare.py",
        "run.py",
        "sweep.py",
        "train.py",
        "convert.py",
        "reconstruct.py",
        "prepare.py",
    ),
    "jax_cosmo": ("schedules.py",),
    "matplotlib": ("figures.py", "sweeping/figures.py"),
    "jinja2": ("report/",),
    "PIL": ("report/",),
    "safetensors": ("priors.py",),
    "torch": ("converting/foreign.py",),
    "tqdm": ("commands/console.py", "sweep.py", "reconstruct.py", "prepare.py"),
    "optuna": ("sweeping/bayesian.py",),
    "sqlalchemy": ("sweeping/bayesian.py",),
    "nibabel": ("data/nifti",),
    "pydicom": ("data/dicom",),
    "ismrmrd": ("data/ismrmrd_files.py",),
    "sigpy": ("data/espirit.py",),
    "optax": ("training/steps.py", "samplers/red_diff.py"),
    "threadpoolctl": ("operators/spectrum.py",),
    "scipy": ("data/", "metrics.py", "operators/"),
}

LAYERS = {
    "types": set(),
    "storage": set(),
    "operators": {"types", "operators"},
    "guidance": {"types", "operators", "guidance"},
    "evenly": set(),
    "tuned": {"tuned"},
    "samplers": {"types", "operators", "guidance", "samplers", "evenly"},
    "networks": {"types", "networks"},
    "schedules": {"types"},
    "denoisers": {"types"},
    "analytic": {"types"},
    "sweeps": {"types"},
    "converting/infer": {"types", "networks"},
    "converting/names": {"types", "networks"},
    "converting/presets": {"types", "networks"},
    "processes": set(),
    "sweeping/bayesian": {"sweeps", "storage"},
    "sweeping/figures": set(),
    "devices": set(),
    "training/steps": {"types", "denoisers"},
    "training/supervised": {"types"},
    "training/log": {"storage"},
    "data": {"storage", "data", "operators", "evenly"},
    "metrics": {"types"},
    "haarpsi": {"types", "metrics"},
    "conventions": {"types", "metrics", "haarpsi"},
    "figures": {"metrics", "evenly"},
    "report": {
        *("__version__", "storage", "report", "data"),
        *("metrics", "conventions", "figures"),
    },
    "commands/packaged": set(),
    "commands/ranges": {"defaults"},
    "cli": {"__version__"},
}
"""A folder or a module -> the folders and modules that it may import of ours."""

COMMANDS = {"cli", *cli.COMMANDS}

SERVED = {
    "commands": {*COMMANDS, "running", "sweeping"},
    "converting": {"convert"},
    "reconstructing": {"reconstruct"},
    "running": {"run", "reconstruct"},
    "sweeping": {"sweep"},
    "training": {"train"},
}
"""A folder -> what else may import from it: the commands made of it, or all."""

SHARED = {"loop.py", "mgdm.py", "singular_directions.py"}
"""What in `samplers/` is more than one method; the others are short."""

IMPURE = {"print", "jit", "jax.jit", "jax.debug", "jax.config"}
"""What `LAYERS` leave to their callers."""

IMPORT_NAMES = {"absl-py": "absl", "orbax-checkpoint": "orbax", "pillow": "PIL"}
"""Distributions whose package is called otherwise."""


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


def place(path):
    """Return `training/steps` for the file of that module, a folder for its own."""
    return relative(path).removesuffix(".py").removesuffix("/__init__")


PLACES = {place(path) for path in FILES}


def top(name):
    """Return the folder of a place, or the module that is in none."""
    return name.split("/")[0]


def rule(path):
    """Return what a file may import of ours; None where all that is not a command."""
    return LAYERS.get(place(path), LAYERS.get(top(place(path))))


def tree(path):
    return ast.parse(path.read_text())


def imports(path):
    """Yield the dotted names that a file imports, `from a import b` as `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            yield from (f"{dots}{node.module}.{alias.name}" for alias in node.names)


def third_parties(path):
    names = {name.split(".")[0] for name in imports(path)}
    return names - sys.stdlib_module_names - {"mgdm_jax"}


def ours(path):
    """Return the places that a file imports from; `__version__` is one."""
    found = set()
    for name in imports(path):
        package, *parts = name.split(".")
        while len(parts) > 1 and "/".join(parts) not in PLACES:
            parts.pop()
        found |= {"/".join(parts)} if package == "mgdm_jax" else set()
    return found


def used(path):
    """Yield the names a file mentions, `a.b` for an attribute of a name."""
    yield from imports(path)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name):
            yield node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def lengths(path):
    """Yield (what, lines, limit) for a file and its functions, docstrings aside."""
    text = path.read_text()
    short = top(place(path)) == "samplers" and path.name not in SHARED
    yield relative(path), len(text.splitlines()), 80 if short else 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            docstring = len((ast.get_docstring(node) or "").splitlines())
            yield f"{relative(path)}: {node.name}", length - docstring, 40


def test_third_parties_keep_their_fence():
    outside = [
        f"{relative(path)} imports {name}"
        for path in FILES
        for name in third_parties(path)
        if name in FENCES and not relative(path).startswith(FENCES[name])
    ]
    assert not outside


def test_what_is_imported_is_a_dependency():
    """`tests`, `experiments` and whatever only an extra brings are refused as well."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!~\[ ]", line)[0] for line in project["dependencies"]]
    # Of extras; asked for where a file wants them.
    names += ["torch", "nibabel", "pydicom", "ismrmrd", "sigpy", "optuna", "sqlalchemy"]
    declared = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}
    undeclared = [
        f"{relative(path)} imports {name or 'relatively'}"
        for path in FILES
        for name in third_parties(path) - declared
    ]
    assert not undeclared


def test_arrows_never_turn_back():
    turned = [
        f"{relative(path)} imports {name}"
        for path in FILES
        for name in ours(path)
        if name in COMMANDS
        or (rule(path) is not None and not {name, top(name)} & rule(path))
    ]
    assert not turned


@pytest.mark.parametrize("unit", [str, top], ids=["modules", "folders"])
def test_imports_run_in_no_circle(unit):
    """What a folder holds counts as one, as does a module that is in none."""
    graph = {}
    for path in FILES:
        here = unit(place(path))
        graph.setdefault(here, set()).update({unit(name) for name in ours(path)})
        graph[here].discard(here)
    graphlib.TopologicalSorter(graph).prepare()  # its CycleError names the circle


def test_a_folder_serves_its_command_alone():
    strangers = [
        f"{relative(path)} imports {name}"
        for path in FILES
        for name in ours(path)
        if top(name) in SERVED
        and top(place(path)) not in {top(name)} | SERVED[top(name)]
    ]
    assert not strangers


def test_the_places_named_here_are_there():
    """A rule whose subject has moved would hold no longer, and nobody would know."""
    named = set().union(LAYERS, *LAYERS.values(), SERVED, *SERVED.values())
    assert named <= PLACES | {"__version__"}
    files = {fence for fences in FENCES.values() for fence in fences}
    inside = [path for path in files if any(PACKAGE.glob(f"{path}*"))]
    assert sorted(inside) == sorted(files)


def test_every_folder_has_its_rule():
    folders = {top(name) for name in PLACES if "/" in name}
    assert folders <= {*LAYERS, *SERVED}


def test_files_and_functions_are_short():
    long = [
        f"{what}: {lines} lines of {limit}"
        for path in FILES
        for what, lines, limit in lengths(path)
        if lines > limit
    ]
    assert not long


def test_the_layers_print_and_compile_nothing():
    impure = [
        f"{relative(path)} uses {name}"
        for path in FILES
        if rule(path) is not None
        for name in IMPURE & set(used(path))
    ]
    assert not impure
