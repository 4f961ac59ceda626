"""Checks of the arrays that a caller hands to the bias measures."""

from collections.abc import Sequence

import numpy as np

from cda_jax.errors import InputError

MIN_EXAMPLES = 20


def checked_features(features: np.ndarray) -> np.ndarray:
    """Returns float32[N, D] that is finite, with enough rows that are not all the same."""
    features = np.asarray(features, np.float32)
    if features.ndim != 2 or len(features) < MIN_EXAMPLES or features.shape[1] == 0:
        raise InputError(
            f'features: shape {features.shape}, expected [N, D] with N at least {MIN_EXAMPLES}'
        )
    damaged = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if damaged.size:
        raise InputError(f'features, row {damaged[0]}: not finite, expected finite numbers')
    if (features == features[0]).all():
        raise InputError('features: all rows are the same, expected different ones')
    return features


def checked_numbers(
    field: str, numbers: np.ndarray | None, num_examples: int, names: Sequence[str]
) -> np.ndarray | None:
    """Returns the numbers of named sites or classes as int64[N]; None stays None."""
    if numbers is None:
        return None
    numbers = np.asarray(numbers)
    if numbers.shape != (num_examples,) or not np.issubdtype(numbers.dtype, np.integer):
        raise InputError(
            f'{field}: {numbers.dtype}{list(numbers.shape)}, expected integers[{num_examples}], '
            'one for each row of features'
        )
    outside = np.flatnonzero((numbers < 0) | (numbers >= len(names)))
    if outside.size:
        raise InputError(
            f'{field}, row {outside[0]}: {numbers[outside[0]]}, expected 0 to {len(names) - 1} as '
            f'there are {len(names)} names'
        )
    return numbers.astype(np.int64)


def check_names(field: str, names: Sequence[str]) -> None:
    """Refuses a name that is given twice, as figures go by name."""
    for position, name in enumerate(names):
        if name in names[:position]:
            raise InputError(f'{field}: {name!r} is there twice, expected different names')
