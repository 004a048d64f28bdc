"""The checker that holds signatures to their shapes in the tests: beartype, told what any array is."""

from __future__ import annotations

from typing import Any

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype

# beartype wants a dtype as the second argument of np.ndarray; mypy's "any array" is np.ndarray[Any, Any].
checked = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({np.ndarray[Any, Any]: np.ndarray})))
