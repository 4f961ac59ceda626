"""Class names: what a source calls its classes, and what sites that are used together call them."""

import difflib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from cda_jax.data.records import UNLABELLED
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, ReadAnew, Skipped
from cda_jax.prepare.readers.expressions import COMMON_ORDER, EXPRESSIONS, NUMBERED, SYNONYMS
from cda_jax.prepare.readers.label_files import read_text

# So many digits make a number; more are text like any other.
_NUMBER = re.compile('-?[0-9]{1,18}')
_CLOSE = 0.7  # of difflib's ratio: letters in common


def tidy(name: str) -> str:
    """A name with single blanks and in one Unicode form; a number without leading zeros."""
    plain = ' '.join(unicodedata.normalize('NFC', name).split())
    return str(int(plain)) if _NUMBER.fullmatch(plain) else plain


def fold(name: str) -> str:
    """What all spellings of a name have in common: case, blanks and Unicode form do not count."""
    return tidy(name.casefold())


def sorted_names(names: Iterable[str]) -> list[str]:
    """Different names, numbers by their value and before text."""

    def place(name):
        number = _NUMBER.fullmatch(tidy(name))
        return (0, int(number[0]), name) if number else (1, 0, name)

    return sorted(set(names), key=place)


def parse_classes(text: str) -> dict[str, str]:
    """Reads 'name=Name,name=' or the lines of a file of that name; an empty new name drops.

    Raises InputError if there is neither such a file nor text of this form.
    """
    where = f'classes {text[:40]!r}'
    entries = text.split(',')
    if os.path.isfile(text):
        where, entries = text, read_text(Path(text)).splitlines()
    classes = {}
    for entry in filter(str.strip, entries):
        name, equals, new = (part.strip() for part in entry.rpartition('='))
        if not equals or not name:
            raise InputError(
                f'{where}: expected NAME=NEW_NAME, or NAME= to drop a class, found {entry[:40]!r}'
            )
        classes[name] = new
    return classes


def name_classes(
    dataset: Dataset, classes: Mapping[str, str] | None = None, class_order: str | None = None
) -> Dataset:
    """Gives the classes of a dataset the names, and expressions the order, that sites share.

    Numbers become names by `class_order`, names of expressions become those of `COMMON_ORDER`, and
    names that differ in case, blanks or Unicode form only become one. The dataset's
    `class_changes` say what became of which class.

    Args:
        classes: New names by name, as of `parse_classes`; they come before everything else.
        class_order: A key of `NUMBERED`, or the names of the numbers from 0 or 1 on: 'NAME,...'.

    Raises InputError if a class has no name, or one that is close to an expression but none.
    """
    found = dataset.class_names
    by_hand = {fold(name): new for name, new in (classes or {}).items()}
    by_fold = {fold(name): name for name in found}
    expressions = {_common(name).casefold() for name in found}
    if unknown := by_hand.keys() - by_fold - expressions:
        close = _closest(min(unknown), by_fold)
        meant = f'; did you mean {by_fold[close]!r}?' if close else ''
        shown = ', '.join(map(repr, found[:20])) + (', ...' if len(found) > 20 else '') or 'none'
        raise InputError(f'classes: there is no class {min(unknown)!r}; found {shown}{meant}')
    named = _by_number(found, class_order, by_hand) if class_order else {}
    named |= {name: by_hand[fold(name)] for name in found if fold(name) in by_hand}
    named |= {name: name for name in found if name not in named}
    kept = [named[name] for name in found if named[name]]
    for name in kept:
        if _NUMBER.fullmatch(fold(name)) and int(fold(name)) < 0:
            raise InputError(
                f'class {name!r}: expected a name or a number from 0 on; '
                f"--classes='{name}=' drops it"
            )
    if _are_expressions(kept):
        _refuse_near_misses(kept, by_hand.values())
        for name, new in named.items():
            common = _common(new) or new
            named[name] = common if fold(name) in by_hand else by_hand.get(fold(common), common)
    # Where spellings differ, one by hand decides, then the first in order.
    spellings: dict[str, str] = {}
    for name in sorted(sorted_names(found), key=lambda name: fold(name) not in by_hand):
        named[name] = spellings.setdefault(fold(named[name]), tidy(named[name]))
    return _renamed(dataset, named)


def _common(name: str) -> str:
    """The common name of an expression; '' where it is none."""
    return SYNONYMS.get(fold(name), '')


def _are_expressions(names: list[str]) -> bool:
    """Whether names are of expressions: all of them, or at least three and half of them."""
    known = list(filter(_common, names))
    return len(known) == len(names) or (len(known) >= 3 and 2 * len(known) >= len(names))


def _refuse_near_misses(names: list[str], by_hand: Iterable[str]) -> None:
    present, chosen = set(map(_common, names)), set(map(fold, by_hand))
    missing = [name for name in EXPRESSIONS if name not in present]
    unknown = [name for name in names if not _common(name) and fold(name) not in chosen]
    for name in unknown:
        close = _closest(name, (other for other in SYNONYMS if SYNONYMS[other] in missing))
        if close or (len(unknown) == len(missing) == 1):
            meant = SYNONYMS[close] if close else missing[0]
            raise InputError(
                f'class {name!r} is none of {", ".join(COMMON_ORDER)}; did you mean {meant!r}? '
                f"--classes='{name}={meant}' renames it, '{name}=' drops it, "
                f"'{name}={name}' keeps it"
            )


def _by_number(
    found: Iterable[str], class_order: str, by_hand: Mapping[str, str]
) -> dict[str, str]:
    numbers = {name: fold(name) for name in found if fold(name) not in by_hand}
    for name, number in numbers.items():
        if not number.isdecimal():
            raise InputError(f'class_order: expected numbers as names of classes, found {name!r}')
    if class_order in NUMBERED:
        first, names = NUMBERED[class_order]
    else:
        names = tuple(name.strip() for name in class_order.split(','))
        values = {int(number) for number in numbers.values()}
        first = int(0 not in values and len(names) in values)
        if len(names) == 1 or not all(names):
            raise InputError(
                f'class_order: expected {", ".join(NUMBERED)} or NAME,NAME,..., '
                f'found {class_order[:80]!r}'
            )
    result = {}
    for name, number in numbers.items():
        if not first <= int(number) < first + len(names):
            raise InputError(
                f'class {name!r}: class_order {class_order[:80]!r} names the numbers '
                f"{first}..{first + len(names) - 1}; --classes='{name}=' drops the class"
            )
        result[name] = names[int(number) - first]
    return result


def _closest(name: str, others: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(fold(name), others, 1, _CLOSE)), None)


def _renamed(dataset: Dataset, names: dict[str, str]) -> Dataset:
    """The dataset with classes of these names; '' drops a class."""
    found = dataset.class_names
    final = list(dict.fromkeys(names[name] for name in found if names[name]))
    if not final and found:
        raise InputError('classes: every class is dropped; expected one at least')
    if list(found) == sorted_names(found):
        final = sorted_names(final)
    if _are_expressions(final):
        known = [name for name in COMMON_ORDER if name in final]
        final = known + [name for name in final if name not in COMMON_ORDER]
    sources = Counter(names.values())
    changes = {name: new for name, new in names.items() if name != new or sources[new] > 1}
    if tuple(final) == found and not changes:
        return dataset
    labels = [final.index(names[name]) if names[name] else None for name in found]

    def relabelled(row: Example | Skipped) -> Example | Skipped:
        if isinstance(row, Skipped) or row.label == UNLABELLED:
            return row
        if labels[row.label] is None:
            return Skipped(row.id, 'class not used', found[row.label], fault=False)
        if row.votes is None:
            return row._replace(label=labels[row.label])
        votes = [0] * len(final)
        for label, count in zip(labels, row.votes, strict=True):
            if label is not None:
                votes[label] += count
        return row._replace(label=votes.index(max(votes)), votes=tuple(votes))

    earlier = {name: changes.get(new, new) for name, new in dataset.class_changes.items()}
    new_only = {k: v for k, v in changes.items() if k not in dataset.class_changes.values()}
    return dataset._replace(
        class_names=tuple(final),
        rows=ReadAnew(lambda: map(relabelled, dataset.rows)),
        class_changes=earlier | new_only,
    )
