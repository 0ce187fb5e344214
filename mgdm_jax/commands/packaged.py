"""Configurations by name: `ct_lidc:smoke` is the one that travels with the package.

In a wheel they lie in `mgdm_jax/configs`; in a checkout, or an editable install of one,
in `configs/` beside the package, which is their source.
"""

import difflib
from pathlib import Path, PurePath

PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Return where the configurations lie."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


def tasks() -> tuple[str, ...]:
    """Return the names of what `run` takes, `ct_lidc` for one."""
    return tuple(sorted(path.stem for path in folder().glob("*.py")))


def trainings() -> tuple[str, ...]:
    """Return the names of what `train` takes, `priors/brain_t1` for one."""
    files = folder().glob("*/*.py")
    return tuple(sorted(f"{path.parent.name}/{path.stem}" for path in files))


def resolve(given: str) -> str:
    """Return the file, and the variant behind it, that a `--config` names.

    A file goes before a packaged configuration of the same name.

    Args:
      given: `FILE`, `NAME`, or either with `:VARIANT`.

    Raises:
      ValueError: if it names neither, with what is nearest, or a file of another kind.
    """
    name, colon, variant = given.partition(":")
    path = Path(name)
    if path.exists() and not path.is_dir():
        if path.suffix not in ("", ".py"):
            raise ValueError(
                f"{path} is no configuration: give a .py file with get_config(); the "
                "config.json of a run only records the fields that it had."
            )
        return given
    known = (*tasks(), *trainings())
    if name in known:
        return f"{folder() / name}.py{colon}{variant}"
    hint = nearest(PurePath(name).as_posix(), known)
    raise ValueError(
        f"no configuration {name}: there is no such file, and packaged are "
        f"{', '.join(known)}{hint and f'; did you mean {hint}?'}"
    )


def nearest(name: str, known: tuple[str, ...]) -> str:
    """Return the packaged name that a wrong one, or a path, is nearest to, or ""."""
    wanted = name.rpartition("configs/")[2].removesuffix(".py")
    by_end = {candidate.rpartition("/")[2]: candidate for candidate in known}
    for choices in (dict(zip(known, known, strict=True)), by_end):
        close = difflib.get_close_matches(wanted, choices, n=1)
        if close:
            return choices[close[0]]
    return ""
