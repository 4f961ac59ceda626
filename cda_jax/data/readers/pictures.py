"""Which of the pictures that a label file names are there."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from cda_jax.data.example import Skipped
from cda_jax.data.readers import reasons
from cda_jax.errors import InputError


def file_names(folder: Path) -> frozenset[str]:
    """Lists a folder's files, links included, with one scan.

    Args:
        folder: The folder to list.

    Returns:
        The names of its files; none where there is no such folder.

    Raises:
        InputError: The folder is there but cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if not entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except ValueError:  # the name holds a NUL character, so it names no folder
        return frozenset()
    except OSError as error:
        raise InputError(f'{folder}: cannot be listed ({error.strerror})') from error


def picture_check(root: Path) -> Callable[[str, str], Skipped | None]:
    """Makes a check for the pictures of one folder tree.

    A file system across a network answers one scan per folder far sooner than one question per
    picture, so the first picture of a folder has the folder listed and kept.

    Args:
        root: The folder that picture paths are relative to.

    Returns:
        A function of a row's id and its picture's path below root, with forward slashes: it
        returns the row left out where the path leads outside root or nothing is there, else None.
    """

    @functools.cache
    def names(folder: str) -> frozenset[str]:
        return file_names(root / folder)

    def check(row_id: str, relative: str) -> Skipped | None:
        if _leaves_root(relative):
            return Skipped(row_id, reasons.OUTSIDE_ROOT, relative)
        folder, _, name = relative.rpartition('/')
        if name not in names(folder):
            return Skipped(row_id, reasons.MISSING_PICTURE, relative)
        return None

    return check


def _leaves_root(relative: str) -> bool:
    # On any system, what is a path elsewhere too: both kinds of slash, and drive letters.
    starts_elsewhere = relative[:1] in ('/', '\\') or relative[1:2] == ':'
    return starts_elsewhere or '..' in relative.replace('\\', '/').split('/')
