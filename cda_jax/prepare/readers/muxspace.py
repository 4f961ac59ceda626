"""The public collection muxspace/facial_expressions: pictures, and a list of who labelled which."""

import re
from collections import Counter, defaultdict
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.class_folders import is_left_behind
from cda_jax.prepare.readers.classes import fold, sorted_names
from cda_jax.prepare.readers.label_files import csv_table, first_file, other_layout
from cda_jax.prepare.readers.splits import draw_test

LISTS = ('data/legend.csv', 'legend.csv')
COLUMNS = ['user.id', 'image', 'emotion']


def read(
    root: Path, annotator: str | None = None, test_fraction: float = 0.2, follow_links: bool = False
) -> Dataset:
    """Lists the pictures that an annotator labelled, with the labels in lower case.

    Rows have the ids `legend.csv:LINE`, and a row of its own each picture that no line lists. A
    picture that is listed twice is used once, and not at all under two labels. The test split is
    drawn by person, which is what a picture's name says before its number.

    Args:
        annotator: Whose labels to read, as the column `user.id` says; None for those of all.
        test_fraction: The share of persons in the test split, as of `splits.draw_test`.

    Source: https://github.com/muxspace/facial_expressions
    """
    path, images = first_file(root / name for name in LISTS), root / 'images'
    if path is None or not images.is_dir():
        expected = f'expected images/ and {LISTS[0]} in it'
        raise other_layout(root, f'not a folder of muxspace/facial_expressions; {expected}')
    lines = []
    annotators: Counter[str] = Counter()
    labels: defaultdict[str, set[str]] = defaultdict(set)  # of those that are read, by picture
    for number, row in csv_table(path, COLUMNS)[1]:
        who, picture, label = (row[column].strip() for column in COLUMNS)
        if not (who and picture and label):
            raise InputError(f'{path}, line {number}: one of {", ".join(COLUMNS)} is empty')
        lines.append((number, who, picture, fold(label)))
        annotators[who] += 1
        if annotator in (None, who):
            labels[picture].add(fold(label))
    if annotator is not None and annotator not in annotators:
        known = ', '.join(f'{who} ({count:,} rows)' for who, count in annotators.most_common())
        raise InputError(f'{path}: annotator {annotator!r}: expected one of {known}')
    names = sorted_names(label for of_picture in labels.values() for label in of_picture)
    check_picture = row_checks.picture_check(images, root, follow_links)
    seen: set[str] = set()

    def example(row_id: str, who: str, picture: str, label: str) -> Example:
        if annotator not in (None, who):
            raise row_checks.UnusableRowError('another annotator', who, False)
        if len(labels[picture]) > 1:
            raise row_checks.UnusableRowError('two labels', ', '.join(sorted(labels[picture])))
        if picture in seen:
            raise row_checks.UnusableRowError('listed twice', picture, False)
        seen.add(picture)
        check_picture(picture)
        photo, place = f'images/{picture}', images / picture
        return Example(row_id, photo, place, None, names.index(label), 'train')

    rows = [row_checks.attempt(example, f'{path.name}:{number}', *line) for number, *line in lines]
    listed = {picture for _, _, picture, _ in lines}
    rows += [
        Skipped(f'images/{name}', 'in no list', fault=False)
        for name in sorted(row_checks.files_in(images, root, follow_links).keys() - listed)
        if not is_left_behind(name)
    ]
    rows = draw_test(
        rows, test_fraction, lambda row: re.sub('_[0-9]+$', '', row.photo.rpartition('.')[0])
    )
    layout = f'labels of {annotator or "all annotators"}, test split by a hash of the person'
    return Dataset(tuple(names), (path,), rows, layout=layout)
