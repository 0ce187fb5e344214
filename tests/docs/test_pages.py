"""The programs and commands of every page run, page by page in one namespace.

Programs run as they are. Commands get `SHORTER` behind them, and priors of a few
weights in the place of the shipped ones, whose compilation would take most of the time.
What a block of text behind a program shows is what it prints, numbers within one and a
half of their last digit: other machines round otherwise.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib

import command_server
import pages
import pytest
import tiny
from safetensors.numpy import save_file
from test_convert import checkpoint, reduced

from mgdm_jax import priors

SHORTER = {
    "run": ("--config.sampler.n_steps=2", "--config.data.n_images=1"),
    "reconstruct": ("--n_steps=2", "--n_samples=2"),
    "sweep": ("--config.sampler.n_steps=2", "--config.data.n_images=1"),
    "train": (
        "--config.network.channel_mult=(1.0,1.0)",
        "--config.train.n_steps=2",
        "--config.train.batch_size=2",
        "--config.train.log_every=2",
        "--config.train.save_every=2",
        "--config.train.validate_every=2",
        "--config.train.sample_every=0",
        "--config.train.warmup_steps=1",
        "--config.data.n_validation=1",
        "--config.init=",
    ),
}
"""Command -> what makes seconds of its minutes and hours."""

SHIPPED = {
    "mri_brats": (120, 1),
    "ct_lidc": (160, 1),
    "brain_complex": (120, 2),
    "mine.py": (120, 1),  # a page's own
}
"""Configuration or prior -> size and channels of the images."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def with_blocks():
    return [page for page in pages.PAGES if pages.blocks(page)]


def name(page):
    return page.relative_to(pages.ROOT / "docs").as_posix()


@pytest.mark.docs
@pytest.mark.parametrize("page", with_blocks(), ids=name)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").symlink_to(pages.ROOT / "experiments")
    if page.name == "priors.md":  # whose readers have a checkpoint
        theirs = reduced("fastmri_knee_320", image_size=320)
        save_file(checkpoint(theirs), tmp_path / "mine.safetensors")
    scope = {"__name__": "__main__"}
    for block in pages.blocks(page):
        match block.language:
            case "python":
                check_python(block, page, scope)
                if block.body.startswith("# mine.py\n"):
                    (tmp_path / "mine.py").write_text(block.body)
            case "bash":
                for words in commands(block):
                    check_command(words, tmp_path)
            case language:
                raise ValueError(f"{page}:{block.line} is {language!r}: not tested.")


def check_python(block, page, scope):
    printed = io.StringIO()
    # Blank lines ahead, so that a traceback names the page's own line.
    code = compile("\n" * (block.line - 1) + block.body, str(page), "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, scope)
    if block.output is not None:
        assert shape(printed.getvalue()) == shape(block.output)
        pairs = zip(*map(NUMBER.findall, (printed.getvalue(), block.output)))  # noqa: B905
        for found, shown in pairs:
            digit = 10.0 ** -len(shown.partition(".")[2])
            assert float(found) == pytest.approx(float(shown), abs=1.5 * digit)


def shape(text):
    """Return the text without its numbers and the blanks around them."""
    return NUMBER.sub("#", text).split()


def commands(block):
    """Return the words of each command, continued lines joined, comments left out."""
    lines = block.body.replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    return [words for words in found if words]


def check_command(words, folder):
    match words:
        case ["mgdm-jax", command, *rest]:
            words = [*rest, *SHORTER.get(command, ()), *tiny_prior(rest, folder)]
            done = command_server.run(command, *words, cwd=folder, timeout=900)
            assert done.code == 0, done.err
        case [assignment, "mgdm-jax", *rest] if "=" in assignment:
            variable, _, value = assignment.partition("=")
            command = [sys.executable, "-m", "mgdm_jax.cli", *rest]
            environment = os.environ | {variable: value}
            subprocess.run(command, cwd=folder, env=environment, check=True)
        case ["pip", "install", what]:
            check_extras(what)
        case ["make", target]:
            makefile = (pages.ROOT / "Makefile").read_text()
            assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        case _:
            raise ValueError(f"nobody tests {shlex.join(words)!r}.")


def tiny_prior(words, folder):
    """Return the flag that puts a tiny prior in the place of a shipped one."""
    names = [word.partition(":")[0] for word in words]
    for name, (size, channels) in SHIPPED.items():
        if name in names and not any("runs/mine" in word for word in words):
            flag = "--prior" if name in priors.shipped() else "--config.prior.path"
            return [f"{flag}={tiny.write_prior(folder, size, channels)}"]
    return []


def check_extras(what):
    """Installing is not tested, but that there is such an extra."""
    project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text())["project"]
    package, extras = re.fullmatch(r"([\w.-]+)(?:\[([\w,]+)\])?", what).groups()
    assert package in (project["name"], ".")
    named = set(extras.split(",")) if extras else set()
    assert named <= set(project["optional-dependencies"])
