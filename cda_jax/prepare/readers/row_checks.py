"""Why a row is unusable: the reasons and checks that the readers share."""

import errno
import functools
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Example, Skipped

MISSING_PICTURE = 'missing picture'
LINK_OUTSIDE = 'link out of the root (--follow_links follows it)'

# The errors for a name that cannot be that of a folder.
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


class UnusableRowError(Exception):
    """Why a row is left out; its arguments are those of `Skipped` after the id."""


def attempt(make: Callable[..., Example], row_id: str, *arguments: object) -> Example | Skipped:
    """Makes a row's example, or a skipped row if `make` raises UnusableRowError."""
    try:
        return make(row_id, *arguments)
    except UnusableRowError as error:
        return Skipped(row_id, *error.args)


def numbers(fields: Sequence[str], expected: str) -> list[float]:
    """Reads numbers such as '134' and '134.0'; an empty field, NULL and 'nan' become NaN."""
    try:
        return [math.nan if field in ('', 'NULL') else float(field) for field in fields]
    except ValueError as error:
        raise InputError(f'{expected}, found {",".join(fields)[:80]!r}') from error


def usable_box(box: Box, found: str) -> Box:
    """Returns a box that is finite and has an area; `found` is how the file states it."""
    if not all(map(math.isfinite, box)):
        raise UnusableRowError('box missing or not finite', found)
    if box.x1 <= box.x0 or box.y1 <= box.y0:
        raise UnusableRowError('box without area', found)
    return box


class Listing(NamedTuple):
    """The names of the files in one folder, without pipes, devices and broken links."""

    inside: frozenset[str]  # those below the root, and links to files below it
    outside: frozenset[str]  # links that lead out of the root

    def check(self, name: str, missing: str, shown: str | None = None) -> None:
        """Raises UnusableRowError where a file is not inside: `missing` says so of none at all."""
        if name not in self.inside:
            why = LINK_OUTSIDE if name in self.outside else missing
            raise UnusableRowError(why, name if shown is None else shown)


def list_files(folder: Path, root: Path, follow_links: bool = False) -> Listing:
    """Lists a folder's files with one scan; a folder that does not exist has none.

    The root may be a link itself, but nothing below it may lead out of it, unless `follow_links`.
    """
    files, outside = set(), set()
    try:
        real_root = os.path.realpath(root)
        is_outside = not follow_links and _leaves(folder, real_root)
        with os.scandir(folder) as entries:
            for entry in entries:
                is_link = entry.is_symlink()
                # A link that leads in a circle would make is_file() raise.
                if os.path.isfile(entry) if is_link else entry.is_file():
                    may_leave = is_link and not follow_links
                    leaves = is_outside or (may_leave and _leaves(entry, real_root))
                    (outside if leaves else files).add(entry.name)
    except ValueError:  # the name holds a NUL character, so it names no folder
        return Listing(frozenset(), frozenset())
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            raise InputError(f'{folder}: cannot be listed ({error.strerror})') from error
    return Listing(frozenset(files), frozenset(outside))


def picture_check(folder: Path, root: Path, follow_links: bool = False) -> Callable[[str], None]:
    """Makes a function that checks the path of a picture below a folder.

    It raises UnusableRowError where the path or a link on it leads outside the root, or where there
    is no such file. It lists each folder once, because a network file system answers one scan per
    folder much faster than one question per picture.
    """

    @functools.cache
    def listing(subfolder: str) -> Listing:
        return list_files(folder / subfolder, root, follow_links)

    def check(relative: str) -> None:
        subfolder, _, name = relative.rpartition('/')
        # The same on every system, so both kinds of slash and drive letters count.
        starts_elsewhere = relative[:1] in ('/', '\\') or relative[1:2] == ':'
        if starts_elsewhere or '..' in relative.replace('\\', '/').split('/'):
            raise UnusableRowError('path outside the root', relative)
        listing(subfolder).check(name, MISSING_PICTURE, relative)

    return check


def _leaves(path: os.PathLike[str], real_root: str) -> bool:
    """Whether a path ends outside the root once all links on it are followed."""
    return not Path(os.path.realpath(path)).is_relative_to(real_root)
