"""What makes a row unusable: the reasons that readers share, and how they find them."""

import errno
import functools
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example, Skipped

MISSING_PICTURE = 'missing picture'
NOT_A_PICTURE = 'not a picture file'
OUTSIDE_ROOT = 'path outside the root'
NOT_IN_A_CLASS = 'not in a class folder'
NO_BOX = 'box missing or not finite'
NO_BOX_AREA = 'box without area'
MISSING_BOX_FILE = 'missing box file'
MISSING_LABEL_FILE = 'missing label file'
NON_NUMERIC_EXPRESSION = 'non-numeric expression'
# These two are no faults: the dataset is meant to be used without such rows.
CLASS_NOT_USED = 'class not used'
LOW_CONFIDENCE = 'box confidence below the minimum'

# What a system answers where a name cannot be that of a folder.
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


class UnusableRowError(Exception):
    """Why a row is left out; its arguments are those of `Skipped` after the id."""


def attempt(make: Callable[..., Example], row_id: str, *arguments: object) -> Example | Skipped:
    """Calls `make` with the rest for a row, which is left out where it raises UnusableRowError."""
    try:
        return make(row_id, *arguments)
    except UnusableRowError as error:
        return Skipped(row_id, *error.args)


def numbers(fields: Iterable[str]) -> list[float]:
    """Reads numbers such as '134' and '134.0'; NaN where a field is empty, NULL or 'nan'.

    Raises:
        ValueError: A field is anything else.
    """
    return [math.nan if field in ('', 'NULL') else float(field) for field in fields]


def usable_box(box: Box, found: str) -> Box:
    """Hands on a box that is finite and has an area.

    Raises:
        UnusableRowError: It is not; `found` is what the file says.
    """
    if not all(map(math.isfinite, box)):
        raise UnusableRowError(NO_BOX, found)
    if box.x1 <= box.x0 or box.y1 <= box.y0:
        raise UnusableRowError(NO_BOX_AREA, found)
    return box


class Listing(NamedTuple):
    """The files of one folder; pipes, devices and links to nothing are none.

    Attributes:
        inside: Names of those that lie below the root, links to such included.
        outside: Names of links that lead out of the root.
    """

    inside: frozenset[str]
    outside: frozenset[str]


def list_files(folder: Path, root: Path) -> Listing:
    """Lists a folder's files with one scan.

    Args:
        folder: The folder to list; where there is none, it has no files.
        root: What the user named. It may be a link itself; what lies in it may not leave it.

    Raises:
        InputError: The folder is there but cannot be listed.
    """
    files, outside = set(), set()
    try:
        real_root = os.path.realpath(root)
        is_outside = _leaves(folder, real_root)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    if os.path.isfile(entry.path):
                        leaves = is_outside or _leaves(entry.path, real_root)
                        (outside if leaves else files).add(entry.name)
                elif entry.is_file():
                    (outside if is_outside else files).add(entry.name)
    except ValueError:  # the name holds a NUL character, so it names no folder
        return Listing(frozenset(), frozenset())
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            raise InputError(f'{folder}: cannot be listed ({error.strerror})') from error
    return Listing(frozenset(files), frozenset(outside))


def picture_check(folder: Path, root: Path) -> Callable[[str], None]:
    """Makes a check for the pictures below one folder.

    A file system across a network answers one scan per folder far sooner than one question per
    picture, so the first picture of a folder has the folder listed and kept.

    Returns:
        A function of a picture's path below `folder`, with forward slashes: it raises
        UnusableRowError where the path or a link on it leads outside the root, or nothing is there.
    """

    @functools.cache
    def listing(subfolder: str) -> Listing:
        return list_files(folder / subfolder, root)

    def check(relative: str) -> None:
        subfolder, _, name = relative.rpartition('/')
        if _climbs(relative) or name in listing(subfolder).outside:
            raise UnusableRowError(OUTSIDE_ROOT, relative)
        if name not in listing(subfolder).inside:
            raise UnusableRowError(MISSING_PICTURE, relative)

    return check


def _climbs(relative: str) -> bool:
    # On any system, what is a path elsewhere too: both kinds of slash, and drive letters.
    starts_elsewhere = relative[:1] in ('/', '\\') or relative[1:2] == ':'
    return starts_elsewhere or '..' in relative.replace('\\', '/').split('/')


def _leaves(path: str | Path, real_root: str) -> bool:
    """Says whether a path ends outside the root once all links on it are followed."""
    return not Path(os.path.realpath(path)).is_relative_to(real_root)


def full_dataset(
    root: Path,
    class_names: tuple[str, ...],
    sources: Sequence[Path],
    rows: Sequence[Example | Skipped],
    test_photos: tuple[str, ...] | None = None,
) -> Dataset:
    """Makes a dataset of rows that fill both splits.

    Raises:
        InputError: A split has no usable row.
    """
    filled = {row.split for row in rows if isinstance(row, Example)}
    for split in ('train', 'test'):
        if split not in filled:
            raise InputError(f'{root}: no usable row in the {split} split{_left_out(rows)}')
    return Dataset(class_names, tuple(sources), rows, test_photos)


def _left_out(rows: Sequence[Example | Skipped]) -> str:
    counts = Counter(row.reason for row in rows if isinstance(row, Skipped))
    if not counts:
        return ''
    listed = ', '.join(f'{reason} ({count})' for reason, count in counts.most_common())
    return f'; rows left out: {listed}'
