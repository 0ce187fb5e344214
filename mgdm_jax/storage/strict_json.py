"""JSON that every reader takes: NaN and infinities, which it lacks, are null."""

import json
import math
from typing import Any


def dumps(value: Any, indent: int | None = None) -> str:
    """Return nested dictionaries and lists as JSON, null for what is not finite."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
