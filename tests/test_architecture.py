"""Imports keep their direction and third parties their fence; files stay small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mgdm_jax"
FILES = sorted(PACKAGE.rglob("*.py"))

FENCES = {
    "flax": ("networks/",),
    "orbax": ("checkpoints.py",),
    "grain": ("data/", "checkpoints.py"),
    "h5py": ("data/",),
    "ml_collections": ("defaults.py", "run.py", "train.py"),
    "absl": ("run.py", "train.py"),
    "jax_cosmo": ("schedules.py",),
    "matplotlib": ("figures.py",),
    "safetensors": ("priors.py",),
    "tqdm": ("run.py", "train.py"),
    "optax": ("training.py",),
}

LAYERS = {
    "types": set(),
    "operators": {"types", "operators"},
    "guidance": {"types", "operators", "guidance"},
    "samplers": {"types", "operators", "guidance", "samplers"},
    "sweeps": {"types"},
    "networks": {"types", "networks"},
    "schedules": {"types"},
    "denoisers": {"types"},
    "analytic": {"types"},
    "training": {"types", "denoisers"},
    "data": {"data", "operators"},
    "metrics": {"types"},
    "figures": {"metrics"},
}
"""First part of a module's name -> what it may import of ours."""

COMMANDS = {"run", "train"}


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


def imports(path):
    """Yield the dotted names that a file imports, `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path):
    return {
        name.split(".")[1] for name in imports(path) if name.startswith("mgdm_jax.")
    }


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_third_parties_keep_their_fence(path):
    for name in imports(path):
        homes = FENCES.get(name.split(".")[0])
        assert homes is None or relative(path).startswith(homes), name


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_arrows_never_turn_back(path):
    layer = relative(path).split("/")[0].removesuffix(".py")
    allowed = LAYERS.get(layer)
    assert allowed is None or ours(path) <= allowed
    assert layer in COMMANDS or not ours(path) & COMMANDS
    assert not any(n.split(".")[0] in ("tests", "experiments") for n in imports(path))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            docstring = len((ast.get_docstring(node) or "").splitlines())
            assert length - docstring <= 40, f"{node.name}: {length - docstring} lines"


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if relative(p).split("/")[0] in LAYERS], ids=relative
)
def test_the_core_prints_and_compiles_nothing(path):
    used = set(calls(ast.parse(path.read_text())))
    assert not used & {"print", "jax.jit", "jax.debug", "jax.config"}
