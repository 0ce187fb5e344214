"""What JSON has no number for is null, however deep."""

import json
import math

from mgdm_jax.storage import strict_json


def test_what_is_not_finite_is_null():
    value = {"a": [1.0, math.inf], "b": {"c": (math.nan, "text")}, "d": -math.inf}
    found = json.loads(strict_json.dumps(value))
    assert found == {"a": [1.0, None], "b": {"c": [None, "text"]}, "d": None}
