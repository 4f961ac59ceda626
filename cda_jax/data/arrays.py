"""NumPy's files from any source: nothing is unpickled, and the size is checked before reading."""

import os
from pathlib import Path

import numpy as np

from cda_jax.errors import InputError


def read_npy(path: Path, max_bytes: int) -> np.ndarray:
    """Reads a file of one array; raises InputError if it is anything else, or larger."""
    return _read(path, max_bytes, 'an npy file of one array', several=False)


def read_npz(path: Path, max_bytes: int) -> dict[str, np.ndarray]:
    """Reads a file of named arrays; raises InputError if it is anything else, or larger."""
    return _read(path, max_bytes, 'an npz file of named arrays', several=True)


def _read(path: Path, max_bytes: int, expected: str, *, several: bool):
    try:
        with path.open('rb') as file:
            size = os.fstat(file.fileno()).st_size
            content = np.load(file, allow_pickle=False) if size <= max_bytes else None
            if isinstance(content, np.lib.npyio.NpzFile):
                size = sum(member.file_size for member in content.zip.infolist())
                content = dict(content) if size <= max_bytes else None
                if content and not all(isinstance(x, np.ndarray) for x in content.values()):
                    raise ValueError('a member is no array')  # which NumPy lets pass as bytes
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror or error})') from error
    except Exception as error:  # NumPy's and zipfile's parsers raise almost anything
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise InputError(f'{path}: expected a file of NumPy arrays ({reason})') from error
    if content is None:
        raise InputError(f'{path}: expected at most {max_bytes:,} bytes of arrays, found {size:,}')
    if isinstance(content, dict) != several:
        raise InputError(f'{path}: expected {expected}')
    return content
