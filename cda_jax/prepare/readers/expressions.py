"""The expressions of faces: their common names, what else they are called, and their numbers."""

from cda_jax.data.sites import COMMON_ORDER

# The order of the labels of every face dataset: the rows of figure 6 in Han et al. (2020).
EXPRESSIONS = COMMON_ORDER[:-1]  # datasets that have contempt add it after these

_OTHER_NAMES = {
    'Surprise': 'surprised surprises astonished astonishment',
    'Fear': 'fears fearful fearfulness afraid scared',
    'Disgust': 'disgusted disgusts disgusting',
    'Happiness': 'happy joy joyful',
    'Sadness': 'sad',
    'Anger': 'angry',
    'Neutral': 'neutrality neutrals normal',
    'Contempt': 'contemptuous contempts',
}
# By what a folder or a label says, in lower case.
SYNONYMS = {
    other: name
    for name, others in _OTHER_NAMES.items()
    for other in (name.lower(), *others.split())
}

# The expressions behind the numbers of datasets, from the first number on.
NUMBERED: dict[str, tuple[int, tuple[str, ...]]] = {
    'rafdb': (1, EXPRESSIONS),
    'affectnet': (
        0,
        ('Neutral', 'Happiness', 'Sadness', 'Surprise', 'Fear', 'Disgust', 'Anger', 'Contempt'),
    ),
    'expw': (0, ('Anger', 'Disgust', 'Fear', 'Happiness', 'Sadness', 'Surprise', 'Neutral')),
}
NUMBERED['fer2013'] = NUMBERED['expw']


def native_labels(dataset: str) -> dict[str, int]:
    """The common label of each number, as text, with which a dataset names an expression."""
    first, names = NUMBERED[dataset]
    return {
        str(number): EXPRESSIONS.index(name)
        for number, name in enumerate(names, first)
        if name in EXPRESSIONS
    }
