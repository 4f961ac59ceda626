"""What a run ran with: versions, devices, and the commit of the code."""

import platform
import subprocess
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import jax

import cda_jax


def environment() -> dict[str, str]:
    """What figures may depend on besides the configuration."""
    kinds = Counter(device.device_kind for device in jax.devices())
    commit = commit_of(Path(cda_jax.__file__).parent.parent)
    return {
        'cda_jax': cda_jax.__version__,
        **({'commit': commit} if commit else {}),
        'python': platform.python_version(),
        **{name: version(name) for name in ('jax', 'jaxlib', 'flax', 'optax', 'numpy')},
        'devices': ', '.join(f'{number} x {kind}' for kind, number in kinds.items()),
        'processes': str(jax.process_count()),
        'platform': platform.platform(),
    }


def commit_of(folder: Path) -> str | None:
    """The commit of the checkout at this folder, with ' with changes' if a tracked file differs.

    None if there is no git, nothing was committed yet, or the folder is not the checkout's root, as
    where the package is installed inside some other project.
    """
    place = f'--git-dir={folder / ".git"}', f'--work-tree={folder}'
    how = '--always', '--exclude=*', '--abbrev=40', '--dirty= with changes'
    try:
        done = subprocess.run(['git', *place, 'describe', *how], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None
