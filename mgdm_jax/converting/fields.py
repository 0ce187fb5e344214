"""JSON files beside foreign checkpoints."""

import json
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """Return the fields of a JSON file.

    Raises:
      ValueError: if it cannot be read, or holds no object.
    """
    try:
        fields = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no readable JSON file: {error}.") from None
    if not isinstance(fields, dict):
        raise ValueError(f"{path} holds no object of fields.")
    return fields
