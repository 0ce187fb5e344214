"""What the commands share."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn bad input, or a file that cannot be used, into one line and exit code 2.

    An interruption is a line as well, and exit code 130 as shells have it.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except (ValueError, OSError) as error:
        line = str(error).replace("\n", " ")
        sys.stderr.write(f"error: {line}\n")
        sys.exit(2)
