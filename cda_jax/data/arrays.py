"""NumPy's files from any source: nothing is unpickled, and the size is checked before reading."""

import os
from pathlib import Path

import numpy as np

from cda_jax.errors import InputError


def read_npy(path: Path, max_bytes: int) -> np.ndarray:
    """Reads a file of one array; raises InputError if it is anything else, or larger."""
    content = _load(path, max_bytes)
    if isinstance(content, dict):
        raise InputError(f'{path}: expected an npy file of one array, found several')
    return content


def read_npz(path: Path, max_bytes: int) -> dict[str, np.ndarray]:
    """Reads a file of named arrays; raises InputError if it is anything else, or larger."""
    content = _load(path, max_bytes)
    if isinstance(content, np.ndarray):
        raise InputError(f'{path}: expected an npz file of named arrays, found a single array')
    return content


def _load(path: Path, max_bytes: int) -> np.ndarray | dict[str, np.ndarray]:
    try:
        with path.open('rb') as file:
            size = os.fstat(file.fileno()).st_size
            if size <= max_bytes:
                content = np.load(file, allow_pickle=False)
                if isinstance(content, np.ndarray):
                    return content
                size = sum(member.file_size for member in content.zip.infolist())
                if size <= max_bytes:
                    arrays = dict(content)
                    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                        raise ValueError('a member is no array')  # which NumPy lets pass as bytes
                    return arrays
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror or error})') from error
    except Exception as error:  # NumPy's and zipfile's parsers raise almost anything
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise InputError(f'{path}: expected a file of NumPy arrays ({reason})') from error
    raise InputError(f'{path}: expected at most {max_bytes:,} bytes of arrays, found {size:,}')
