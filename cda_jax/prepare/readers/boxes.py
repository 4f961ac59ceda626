"""Box fields of label files."""

import math
from collections.abc import Iterable

from cda_jax.prepare.dataset import Box
from cda_jax.prepare.readers import reasons

_NO_VALUE = ('', 'NULL')


def numbers(fields: Iterable[str]) -> list[float]:
    """Reads numbers, NaN where a field is empty or NULL.

    Args:
        fields: Texts such as '134', '134.0', 'NULL' or 'nan'.

    Returns:
        One float per field.

    Raises:
        ValueError: A field is neither a number nor empty nor NULL.
    """
    return [math.nan if field in _NO_VALUE else float(field) for field in fields]


def fault_of(box: Box) -> str | None:
    """Says what is wrong with a box.

    Args:
        box: Edges in pixels.

    Returns:
        One of the shared reasons, or None where the box is finite and has an area.
    """
    if not all(map(math.isfinite, box)):
        return reasons.NO_BOX
    if box.x1 <= box.x0 or box.y1 <= box.y0:
        return reasons.NO_BOX_AREA
    return None
