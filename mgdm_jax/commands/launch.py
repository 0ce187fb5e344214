"""The start of a command: its words, its flags, what it says of bad input."""

import contextlib
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from absl import app, flags

from mgdm_jax.commands import help_pages, packaged

_N_DEVICES = "jax_num_cpu_devices"
_PREEMPTION = "jax_enable_preemption_service"

_OF_FIELDS = (AttributeError, LookupError, TypeError)
"""What ml_collections raises for a field that there is not."""

_OF_CODE = (NameError, SyntaxError, ImportError)
"""What else a configuration of the user's may raise: it is a program."""

_OF_GET_CONFIG = {
    r"get_config\(\) takes 0 positional": "the configuration has no variants: its "
    "get_config() takes no argument; leave the colon away, or write get_config(arg='')",
    r"get_config\(\) missing 1 required": "the configuration wants a variant behind a "
    "colon: its get_config(arg) has no default; give one, or write get_config(arg='')",
    r"no attribute 'get_config'": "the configuration has no get_config() to return it",
}
"""What Python says of that function -> what is said instead."""


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn bad input, or a file that cannot be used, into one line and exit code 2.

    An interruption is a line as well, with its own words if it has any, and exit code
    130 as shells have it. With `--debug` there is a traceback in the place of the line.
    """
    try:
        yield
    except KeyboardInterrupt as interruption:
        what_now = f"; {interruption}" if interruption.args else ""
        sys.stderr.write(f"interrupted{what_now}\n")
        # XLA goes on with what it has begun; Python's end beneath it is a crash.
        _leave(130, at_once="jax" in sys.modules)
    except (ValueError, OSError) as error:
        _complain(error)


def keep_compilations() -> None:
    """Let the second start of a command find compiled what the first one compiled."""
    import jax  # `prepare` needs none

    from mgdm_jax.operators import spectrum

    jax.config.config_with_absl()
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        cache = spectrum.default_cache_dir() / "xla"
        jax.config.update("jax_compilation_cache_dir", str(cache))
    # A run has some fifty small programs: compiled, each takes longer than read.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def use_cores(batch: int) -> None:
    """Make a CPU as many devices as its cores, of which each gets as much of a batch.

    Before JAX has started; after that, or where somebody has said how many there are,
    it is without effect.
    """
    import jax  # `prepare` needs none

    said = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if said or getattr(jax.config, _N_DEVICES) >= 0:
        return
    shares = range(1, min(_cores(), batch) + 1)
    count = max((n for n in shares if batch % n == 0), default=1)
    try:
        jax.config.update(_N_DEVICES, count)
    except RuntimeError:
        return  # JAX has started


def define_processes() -> Callable[[], None]:
    """Define the flags of several processes; return what joins them, if there are."""
    distributed = flags.DEFINE_bool(
        "distributed", False, "Several processes, which the cluster tells of."
    )
    coordinator = flags.DEFINE_string(
        "coordinator", None, "Several processes: HOST:PORT of the first."
    )
    n_processes = flags.DEFINE_integer("n_processes", None, "How many there are.")
    process_id = flags.DEFINE_integer("process_id", None, "Which this is, from 0.")

    def join() -> None:
        from mgdm_jax import processes  # with JAX, which `prepare` needs not

        given = (coordinator.value, n_processes.value, process_id.value)
        if distributed.value or given != (None, None, None):
            _die_of_sigterm()
            processes.start(*given, automatic=distributed.value)

    return join


def _die_of_sigterm() -> None:
    """Let SIGTERM end a process that joins others, as it ends any.

    JAX would catch it, for programs that then save what they have. Ours have nothing to
    save that is not there, see `resumable` and `checkpoints`, and would not end.
    """
    import jax  # `prepare` needs none

    if hasattr(jax.config, _PREEMPTION):
        jax.config.update(_PREEMPTION, False)


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start(
    main: Callable[[list[str]], Any], n_words: int | None, words: str = ""
) -> None:
    """Parse the flags and call main(words) with what is no flag; absl's `app.run`.

    The docstring of its module is the command's help: see `help_pages`.

    Args:
      main: what the command does; bad input may be a ValueError or an OSError.
      n_words: how many words it takes besides its flags; None for one or more.
      words: what they are, for messages.
    """
    # JAX tells which backends it has not found; nobody asked.
    logging.getLogger("jax._src.xla_bridge").setLevel(logging.WARNING)
    flags.DEFINE_bool("debug", False, "Errors with their traceback.")
    if help_pages.asked(sys.argv[1:]):
        sys.stdout.write(help_pages.page(sys.modules[main.__module__]))
        sys.exit(0)

    def checked(argv: list[str]) -> None:
        with one_line_errors():
            given = argv[1:]
            if len(given) != n_words and (n_words is not None or not given):
                expected = words or "flags only"
                got = " ".join(given) or "none"
                raise ValueError(f"expected {expected}, got {got}; see --help.")
            main(given)

    app.run(checked, flags_parser=_parse)


def _parse(argv: Sequence[str]) -> list[str]:
    """Return what is no flag; a flag, or a configuration, that is wrong is one line."""
    with warnings.catch_warnings():
        # ml_collections loads configurations as importlib used to.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            words = [_underscored(word) for word in argv[1:]]
            return flags.FLAGS([argv[0], *_with_files(words)])
        except (flags.Error, ValueError, OSError, *_OF_FIELDS, *_OF_CODE) as error:
            _complain(error)
    raise AssertionError  # _complain has left


def _underscored(word: str) -> str:
    """Return `--n-samples=3` as absl wants it, `--n_samples=3`."""
    name, equals, value = word.partition("=")
    if not re.fullmatch(r"--[a-z]+(-[a-z]+)+", name):
        return word
    return f"--{name[2:].replace('-', '_')}{equals}{value}"


def _with_files(words: Sequence[str]) -> list[str]:
    """Return the words with the file of a packaged configuration for its name."""
    words = list(words)
    for i, word in enumerate(words):
        flag, equals, name = word.partition("=")
        if flag not in ("--config", "-config"):
            continue
        if equals:
            words[i] = f"{flag}={packaged.resolve(name)}"
        elif i + 1 < len(words):
            words[i + 1] = packaged.resolve(words[i + 1])
    return words


def _complain(error: Exception) -> None:
    """Tell what is wrong and leave."""
    # Where the flags themselves are wrong, none may have been read yet.
    if flags.FLAGS["debug"].value or "--debug" in sys.argv:
        traceback.print_exception(error)
    else:
        sys.stderr.write(f"error: {_reason(error)}\n")
    _leave(2)


def _leave(code: int, *, at_once: bool = False) -> NoReturn:
    """End; of several processes at once, for the others may never come to the end.

    `sys.exit` would let JAX wait for them, and they for this one: five minutes.
    """
    jax = sys.modules.get("jax")
    if at_once or (jax is not None and jax.distributed.is_initialized()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _reason(error: Exception) -> str:
    """Return one line; of what a configuration raised no more than that."""
    for said, line in _OF_GET_CONFIG.items():
        if re.search(said, str(error)):
            return f"{line}."
    if isinstance(error, _OF_CODE):
        return f"the configuration cannot be loaded: {error}; --debug shows where."
    if isinstance(error, _OF_FIELDS):
        return _no_such_field(error)
    missing = re.search(r"Flag (--\w+) must have a value other than None", str(error))
    if missing:
        return f"{missing[1].replace('_', '-')} is needed; see --help."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith("File ") for line in lines):  # a traceback inside
        return lines[-1].partition(": ")[2]
    return " ".join(lines)


def _no_such_field(error: Exception) -> str:
    """Return ml_collections' words, of which `str` shows the quotes and newlines.

    Those for a field are an AttributeError around the KeyError that a section gets.
    """
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    words = ". ".join(str(error.args[0]).splitlines()) if error.args else ""
    if words.startswith("Attribute <class") or isinstance(error, TypeError):
        # a field of a number, or of text or a tuple
        return f"the configuration has no such field: {words}"
    return f"the configuration has no field {words}"
