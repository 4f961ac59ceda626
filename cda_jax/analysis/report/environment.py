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
    """Collects what figures may depend on besides the configuration.

    Returns:
        A tree for JSON: the versions of `cda_jax`, `python`, `jax`, `jaxlib`, `flax`, `optax` and
        `numpy`; `devices` of all processes, such as '8 x NVIDIA H200'; `processes`; `platform`;
        and `commit`, if the code is in a git checkout.
    """
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

    Args:
        folder: Absolute.

    Returns:
        40 hexadecimal digits, and ' with changes' if a tracked file differs from it. None if there
        is no git, the folder is no checkout's root (as where the package is installed inside some
        other project), or nothing was committed yet.
    """
    root = _git(folder, 'rev-parse', '--show-toplevel')
    commit = _git(folder, 'rev-parse', '--verify', 'HEAD')
    if root is None or commit is None or Path(root).resolve() != folder.resolve():
        return None
    changes = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    return f'{commit} with changes' if changes else commit


def _git(folder, *arguments) -> str | None:
    try:
        done = subprocess.run(
            ['git', '-C', str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
