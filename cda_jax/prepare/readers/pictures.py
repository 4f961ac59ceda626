"""Which of the files that a dataset names are there, and below its root."""

import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Skipped
from cda_jax.prepare.readers import reasons

# What a system answers where a name cannot be that of a folder.
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


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
        folder: The folder to list.
        root: What the user named. It may be a link itself; what lies in it may not leave it.

    Returns:
        Their names; none where there is no such folder.

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


def picture_check(folder: Path, root: Path) -> Callable[[str, str], Skipped | None]:
    """Makes a check for the pictures of one folder tree.

    A file system across a network answers one scan per folder far sooner than one question per
    picture, so the first picture of a folder has the folder listed and kept.

    Args:
        folder: The folder that picture paths are relative to.
        root: What the user named, as in `list_files`.

    Returns:
        A function of a row's id and its picture's path below `folder`, with forward slashes: it
        returns the row left out where the path or a link on it leads outside the root, or nothing
        is there, else None.
    """

    @functools.cache
    def listing(subfolder: str) -> Listing:
        return list_files(folder / subfolder, root)

    def check(row_id: str, relative: str) -> Skipped | None:
        if _climbs(relative):
            return Skipped(row_id, reasons.OUTSIDE_ROOT, relative)
        subfolder, _, name = relative.rpartition('/')
        if name in listing(subfolder).outside:
            return Skipped(row_id, reasons.OUTSIDE_ROOT, relative)
        if name not in listing(subfolder).inside:
            return Skipped(row_id, reasons.MISSING_PICTURE, relative)
        return None

    return check


def _climbs(relative: str) -> bool:
    # On any system, what is a path elsewhere too: both kinds of slash, and drive letters.
    starts_elsewhere = relative[:1] in ('/', '\\') or relative[1:2] == ':'
    return starts_elsewhere or '..' in relative.replace('\\', '/').split('/')


def _leaves(path: str | Path, real_root: str) -> bool:
    """Says whether a path ends outside the root once all links on it are followed."""
    return not Path(os.path.realpath(path)).is_relative_to(real_root)
