"""What a run ran with: versions, devices, and the commit of the code."""

import importlib.metadata
import platform
import subprocess
from collections import Counter
from pathlib import Path

import jax

import cda_jax

_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'numpy')


def environment() -> dict[str, str]:
    """What figures may depend on besides the configuration: versions, devices, the commit."""
    kinds = Counter(device.device_kind for device in jax.devices())
    commit = commit_of(Path(cda_jax.__file__).parent.parent)
    return {
        'cda_jax': cda_jax.__version__,
        **({} if commit is None else {'commit': commit}),
        'python': platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        'devices': ', '.join(f'{number} x {kind}' for kind, number in kinds.items()),
        'processes': str(jax.process_count()),
        'platform': platform.platform(),
    }


def commit_of(folder: Path) -> str | None:
    """The commit of the checkout that this folder is the root of.

    Returns:
        40 hexadecimal digits, and ' with changes' if a tracked file differs from it. None if there
        is no git, nothing was committed yet, or the folder is no checkout's root, as where the
        package is installed inside some other project.
    """
    try:
        root = _git(folder, 'rev-parse', '--show-toplevel')
        commit = _git(folder, 'rev-parse', '--verify', 'HEAD')
        changes = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    except (OSError, subprocess.CalledProcessError):
        return None
    if Path(root).resolve() != folder.resolve():
        return None
    return f'{commit} with changes' if changes else commit


def _git(folder, *arguments) -> str:
    command = ['git', '-C', str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
