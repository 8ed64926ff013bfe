"""Types of arrays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

AnyArray: TypeAlias = "NDArray[np.generic]"
"""An array whose type of numbers is for the function that takes it to look at."""
