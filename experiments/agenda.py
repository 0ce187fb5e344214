"""The commands that make everything in `results`, and which wait for which."""

import importlib
from collections.abc import Iterator
from typing import NamedTuple

from experiments import rows, search
from mgdm_jax import hyperparameters
from mgdm_jax.defaults import Config


class Step(NamedTuple):
    """A command `python -m experiments.<words>`, started when `needs` are done."""

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()


class Task(NamedTuple):
    """A level of a configuration, and what its searches take."""

    config: str
    level: int
    subject: str
    prior: str
    noise: float = 0.0

    def configured(self) -> Config:
        """Return the configuration at the level."""
        config = importlib.import_module(f"configs.{self.config}").get_config()
        config.task.noise_std = self.noise
        return hyperparameters.with_level(config, self.level)

    def words(self, module: str, *more: str) -> tuple[str, ...]:
        """Return a command on the configuration, not yet at its level."""
        noise = [f"--config.task.noise_std={self.noise}"] if self.noise else []
        return (module, f"--config=configs/{self.config}.py", *noise, *more)

    def held_back(self, module: str, *more: str) -> tuple[str, ...]:
        """Return a command on the validation subject, at the level."""
        field = "n_views" if self.config == "ct_lidc" else "acceleration"
        weights = f"experiments/weights/{self.prior}_held_back.safetensors"
        return self.words(
            module,
            f"--config.task.{field}={self.level}",
            f"--subject={self.subject}",
            f"--config.prior.path={weights}",
            *more,
        )


BRATS = ("itk_mprage", "brain_t1")
TASKS = (
    *(Task("mri_brats", level, *BRATS) for level in (4, 8, 24)),
    *(Task("mri_fastmri", level, "itk_mprage", "brain_complex") for level in (4, 8)),
    *(Task("ct_lidc", level, "lung1", "chest_ct") for level in (23, 10)),
    Task("ct_lidc", 23, "lung1", "chest_ct", noise=0.01),
    Task("mri_fastmri", 4, "itk_mprage", "brain_complex", noise=0.02),
)

FACTORS = {
    TASKS[0]: ("--factors=0.5,1,2",),
    TASKS[5]: ("--factors=0.5,0.75,1,1.25,1.5,2", "--lam_factors=1"),
    TASKS[8]: ("--factors=0.5,1,2", "--lam_factors=0.25,1,4"),
}
"""Task on which numbers are chosen without a reference -> candidates.

On CT only ζ decides, up to a cliff; with noise λ does as well.
"""


def ready(steps: list[Step], done: set[str], begun: set[str]) -> list[Step]:
    """Return the steps that may start, in their order.

    Args:
      steps: those asked for; others that they need count as done.
      done: names of what is.
      begun: names of what runs, or failed.
    """
    missing = {step.name for step in steps} - done
    waiting = [s for s in steps if s.name in missing and s.name not in begun]
    return [step for step in waiting if missing.isdisjoint(step.needs)]


def steps(chunk: int, long_slices: int) -> Iterator[Step]:
    """Yield every step, those that others wait for first.

    Args:
      chunk: candidates of a search at once.
      long_slices: most slices of rows of thousands of evaluations.
    """
    for task in TASKS:
        yield from searches(task, chunk, long_slices)
    for task in TASKS:
        yield from tables(task, long_slices)
    brats, chest = TASKS[0], TASKS[5]
    for task, factors in FACTORS.items():
        more = ("--n_images=4", *factors)
        yield _about(task, "reference_free", *more)
    for task in (brats, chest):
        yield _about(task, "calibration_curves", "--n_samples=5")
    yield Step("fewer evaluations", brats.held_back("fewer_evaluations"))
    yield Step("gradient tuning", brats.held_back("gradient_tuning"))
    done = tuple(f"table {rows.level_name(task.configured())}" for task in TASKS)
    long = f"--long_slices={long_slices}"
    for module in ("table1_fastmri", "table2_lidc", "table3_brats_ablation"):
        yield Step(module, (module, long), done)
    for module in ("table4_supervised", "fig3_nfe_acceleration", "fig_panels"):
        yield Step(module, (module,), done)
    yield Step("quoted", ("quoted",), (*done, "table4_supervised"))


def _about(task: Task, module: str, *more: str) -> Step:
    """Return a step that rests on the chosen numbers of MGDM."""
    stem = rows.level_name(task.configured())
    words, needs = task.words(module, *more), (f"row {stem} mgdm",)
    return Step(f"{module} {stem}", words, needs)


def searches(task: Task, chunk: int, long_slices: int) -> Iterator[Step]:
    """Yield the search of each row of a task, and the row on the test subject."""
    config = task.configured()
    stem = rows.level_name(config)
    family = [f"search {stem} {name}" for name in search.FAMILY if name != "mgdm"]
    for name in rows.applicable(config, list(search.SPACES)):
        slices = 16 if name in rows.LONG else 4  # of which a long one takes a quarter
        more = (f"--methods={name}", f"--chunk={chunk}", f"--slices={slices}")
        needs = tuple(family) if name == "mgdm" else ()
        yield Step(f"search {stem} {name}", task.held_back("tune", *more), needs)
        found = (f"search {stem} {name}",)
        words = _compare(task, name, long_slices)
        yield Step(f"row {stem} {name}", (*words, "--notable"), found)


def _compare(task: Task, names: str, long_slices: int) -> tuple[str, ...]:
    long = f"--long_slices={long_slices}"
    more = (f"--levels={task.level}", f"--rows={names}", long)
    return task.words("compare", *more)


def tables(task: Task, long_slices: int) -> Iterator[Step]:
    """Yield what puts the rows of a task into one table."""
    config = task.configured()
    stem = rows.level_name(config)
    searched = [name for name in rows.COMPARED if name in search.SPACES]
    names = rows.applicable(config, searched)
    needs = tuple(f"row {stem} {name}" for name in names)
    words = _compare(task, ",".join(names), long_slices)
    yield Step(f"table {stem}", words, needs)
