"""AffectNet's own labels."""

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Skipped
from cda_jax.prepare.readers import reasons

COMMON_LABELS = {3: 0, 4: 1, 5: 2, 1: 3, 2: 4, 6: 5, 0: 6}
UNUSED_CLASSES = {7: 'contempt', 8: 'none', 9: 'uncertain', 10: 'no face'}


def common_label(row_id: str, expression: str, where: str) -> int | Skipped:
    """Turns AffectNet's label into the common one.

    Args:
        row_id: The row's id.
        expression: The label as text, '3' or '3.0' for example.
        where: The file, and line if it has lines, for the message.

    Returns:
        The index into the common expressions, or the row left out where the text is no number or
        the class is not among the seven.

    Raises:
        InputError: A number other than 0..10.
    """
    try:
        native = float(expression)
    except ValueError:
        return Skipped(row_id, reasons.NON_NUMERIC_EXPRESSION, expression)
    if native != native:
        return Skipped(row_id, reasons.NON_NUMERIC_EXPRESSION, expression)
    if native in COMMON_LABELS:  # a float finds the equal int
        return COMMON_LABELS[native]
    if native in UNUSED_CLASSES:
        return Skipped(row_id, reasons.CLASS_NOT_USED, UNUSED_CLASSES[native], fault=False)
    raise InputError(f'{where}: expected an expression of 0..10, found {expression[:40]!r}')
