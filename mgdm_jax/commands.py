"""What the commands share."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn bad input, or a file that cannot be used, into one line and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        line = str(error).replace("\n", " ")
        sys.stderr.write(f"error: {line}\n")
        sys.exit(2)
