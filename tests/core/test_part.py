import json
import math

import numpy as np

import ganglion as gg
from ganglion.core.part import plain


def test_plain_data_is_what_json_knows() -> None:
    value = {
        "array": np.array([[1.0, np.nan], [-np.inf, 2.0]], dtype=np.float32),
        "whole": np.array([1, 2]),
        "scalars": (np.float32(0.5), np.float64(np.nan), np.int64(3), np.bool_(True), np.str_("a")),
        "nested": [math.inf, {"left": -math.inf, "none": None, "text": "b", "yes": True, "int": 10**20}],
        "part": gg.LeakyReLU(np.float64(0.1)),
    }
    expected = {
        "array": [[1.0, None], [None, 2.0]],
        "whole": [1, 2],
        "scalars": [0.5, None, 3, True, "a"],
        "nested": [None, {"left": None, "none": None, "text": "b", "yes": True, "int": 10**20}],
        "part": {"name": "leaky_relu", "slope": 0.1},
    }
    found = plain(value)
    assert found == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == expected
