"""The public collection muxspace/facial_expressions: pictures, and a list of who labelled which."""

import re
from collections import Counter
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.class_folders import is_left_behind
from cda_jax.prepare.readers.classes import fold, sorted_names
from cda_jax.prepare.readers.label_files import csv_table, first_file, found_in
from cda_jax.prepare.readers.splits import draw_test

LISTS = ('data/legend.csv', 'legend.csv')
COLUMNS = ['user.id', 'image', 'emotion']


def read(
    root: Path,
    annotator: str | None = None,
    test_fraction: float = 0.2,
    follow_links: bool = False,
) -> Dataset:
    """Lists the pictures that an annotator labelled, with the labels in lower case.

    Rows have the ids `legend.csv:LINE`, and a row of its own each picture that no line lists. A
    picture that is listed twice is used once, and not at all under two labels. The test split is
    drawn by person, which is what a picture's name says before its number.

    Args:
        annotator: Whose labels to read, as the column `user.id` says; None for those of all.
        test_fraction: The share of persons in the test split, as of `splits.draw_test`.
        follow_links: Whether symbolic links may lead out of the root.

    Source: https://github.com/muxspace/facial_expressions
    """
    path, images = first_file(root / name for name in LISTS), root / 'images'
    if path is None or not images.is_dir():
        raise InputError(
            f'{root}: not a folder of muxspace/facial_expressions; expected images/ and {LISTS[0]} '
            f'in it{found_in(root)}'
        )
    lines = _lines(path)
    annotators = Counter(who for _, who, _, _ in lines)
    if annotator is not None and annotator not in annotators:
        known = ', '.join(f'{who} ({count:,} rows)' for who, count in annotators.most_common())
        raise InputError(f'{path}: annotator {annotator!r}: expected one of {known}')
    used = [line for line in lines if annotator in (None, line[1])]
    labels: dict[str, set[str]] = {}
    for _, _, picture, label in used:
        labels.setdefault(picture, set()).add(label)
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

    rows = [
        row_checks.attempt(example, f'{path.name}:{number}', who, picture, label)
        for number, who, picture, label in lines
    ]
    listing, listed = row_checks.list_files(images, root, follow_links), {line[2] for line in lines}
    rows += [
        Skipped(f'images/{name}', 'in no list', fault=False)
        for name in sorted((listing.inside | listing.outside) - listed)
        if not is_left_behind(name)
    ]
    layout = f'labels of {annotator or "all annotators"}, test split by a hash of the person'
    rows = draw_test(
        rows, test_fraction, lambda row: re.sub('_[0-9]+$', '', row.photo.rpartition('.')[0])
    )
    return Dataset(tuple(names), (path,), rows, layout=layout)


def _lines(path: Path) -> list[tuple[int, str, str, str]]:
    header, rows = csv_table(path)
    if header != COLUMNS:
        raise InputError(
            f'{path}, line 1: expected the header {",".join(COLUMNS)}, '
            f'found {",".join(header)[:80]!r}'
        )
    lines = []
    for number, row in rows:
        who, picture, label = map(str.strip, row.values())
        if not (who and picture and label):
            raise InputError(
                f'{path}, line {number}: expected the {len(COLUMNS)} fields {",".join(COLUMNS)}, '
                f'found {",".join(row.values())[:80]!r}'
            )
        lines.append((number, who, picture, fold(label)))
    return lines
