"""Why a row is unusable: the reasons and checks that the readers share."""

import errno
import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

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


def files_in(folder: Path, root: Path, follow_links: bool = False) -> dict[str, bool]:
    """The files in a folder by name, and whether the root holds them once links are followed.

    Pipes, devices and broken links are no files, and a folder that does not exist has none. The
    root may be a link itself. With `follow_links` everything counts as held by it.
    """
    real_root = os.path.realpath(root)

    def is_held(path: os.PathLike[str]) -> bool:
        return follow_links or Path(os.path.realpath(path)).is_relative_to(real_root)

    files: dict[str, bool] = {}
    try:
        is_folder_held = is_held(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                is_link = entry.is_symlink()
                # A link that leads in a circle would make is_file() raise.
                if os.path.isfile(entry) if is_link else entry.is_file():
                    files[entry.name] = is_folder_held and (not is_link or is_held(entry))
    except ValueError:  # the name holds a NUL character, so it names no folder
        return files
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            raise InputError(f'{folder}: cannot be listed ({error.strerror})') from error
    return files


def check_file(
    files: Mapping[str, bool], name: str, missing: str = MISSING_PICTURE, shown: str = ''
) -> None:
    """Raises UnusableRowError where a name is not one of `files_in`, or leads out of the root."""
    if not files.get(name):
        raise UnusableRowError(LINK_OUTSIDE if name in files else missing, shown or name)


def picture_check(folder: Path, root: Path, follow_links: bool = False) -> Callable[[str], None]:
    """Makes a function that checks the path of a picture below a folder.

    It raises UnusableRowError where the path or a link on it leads outside the root, or where there
    is no such file. It lists each folder once, because a network file system answers one scan per
    folder much faster than one question per picture.
    """

    @functools.cache
    def files_below(subfolder: str) -> dict[str, bool]:
        return files_in(folder / subfolder, root, follow_links)

    def check(relative: str) -> None:
        subfolder, _, name = relative.rpartition('/')
        # The same on every system, so both kinds of slash and drive letters count.
        starts_elsewhere = relative[:1] in ('/', '\\') or relative[1:2] == ':'
        if starts_elsewhere or '..' in relative.replace('\\', '/').split('/'):
            raise UnusableRowError('path outside the root', relative)
        check_file(files_below(subfolder), name, shown=relative)

    return check
