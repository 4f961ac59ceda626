"""The seven expressions, and the order of classes that a dataset names itself."""

from collections.abc import Iterable

# The order of the labels of every face dataset: the rows of figure 6 in Han et al. (2020).
EXPRESSIONS = ('Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral')


def class_order(names: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Sorts class names, or puts them in the common order if they are the seven expressions.

    Beside them it gives the label of each name as it was given; expressions may have any case.
    """
    found = sorted(set(names))
    common = {expression.casefold(): label for label, expression in enumerate(EXPRESSIONS)}
    if {name.casefold() for name in found} == common.keys():
        return EXPRESSIONS, {name: common[name.casefold()] for name in found}
    return tuple(found), {name: label for label, name in enumerate(found)}
