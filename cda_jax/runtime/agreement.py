"""Whether all processes are about to do the same: the same config, code, data and workdir."""

import collections
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import jax

import cda_jax
from cda_jax.config import Config, as_fields
from cda_jax.data.manifest import MANIFEST
from cda_jax.errors import InputError
from cda_jax.runtime.multihost import gather_texts

# They decide from where and how a process reads its own share; the data's manifests must agree.
_OWN_FIELDS = frozenset({'data_dir', 'num_threads', 'keep_decoded'})
_MISSING = 'missing'
_SHOWN = 5


def check_agreement(config: Config, workdir: Path) -> None:
    """Checks that all processes would train or evaluate the same, before any of them does.

    Args:
        config: Its `data_dir`, `num_threads` and `keep_decoded` may differ.
        workdir: Of the run.

    Raises:
        InputError: In every process, naming those that differ from the others and in what.
    """
    if jax.process_count() == 1:
        return
    check_devices([device.process_index for device in jax.devices()])
    gathered = gather_texts(json.dumps(facts(config, workdir)))
    found = disagreements([json.loads(text) for text in gathered])
    if found:
        raise InputError(f'the processes do not agree: {found}')


def check_devices(process_of_device: Sequence[int]) -> None:
    """Checks that every process has as many devices as the others.

    Args:
        process_of_device: Number of the process of each device.

    Raises:
        InputError: They have different numbers.
    """
    counts = collections.Counter(process_of_device)
    if len(set(counts.values())) > 1:
        shown = ', '.join(f'process {number} has {counts[number]}' for number in sorted(counts))
        raise InputError(f'the processes have different numbers of devices: {shown}')


def facts(config: Config, workdir: Path) -> dict[str, object]:
    """What the processes must agree on, by the name that an error gives it.

    Args:
        config: Of the run.
        workdir: Of the run.
    """
    fields = {
        f'config field {name}': value
        for name, value in as_fields(config).items()
        if name not in _OWN_FIELDS
    }
    names = dict.fromkeys([*config.sites, *config.test_sites])
    manifests = {
        f'the manifest of site {name}': _digest_file(Path(config.data_dir) / name / MANIFEST)
        for name in names
    }
    versions = {
        'the version of cda_jax': cda_jax.__version__,
        'the version of JAX': jax.__version__,
    }
    code = {'the code of cda_jax': digest_code(Path(cda_jax.__file__).parent)}
    return versions | code | fields | manifests | {'the content of the workdir': _content(workdir)}


def digest_code(folder: Path) -> str:
    """A digest of all Python files in a folder and below, their names included.

    Args:
        folder: Of the package.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob('*.py')):
        content = path.read_bytes()
        digest.update(f'{path.relative_to(folder).as_posix()} {len(content)}\n'.encode() + content)
    return digest.hexdigest()[:16]


def disagreements(of_processes: Sequence[dict[str, object]]) -> str:
    """Says which processes differ from the others, and in what; '' where none does.

    Those that agree with the most others are taken for right; among equals, the first.

    Args:
        of_processes: The `facts` of each process, as JSON gives them back.
    """
    keys = [json.dumps(one, sort_keys=True) for one in of_processes]
    # Among equals, `most_common` has the one that was met first.
    usual = json.loads(collections.Counter(keys).most_common(1)[0][0])
    base = next(number for number, one in enumerate(of_processes) if one == usual)
    texts = [
        f'process {number} differs from process {base} in {_differences(one, usual)}'
        for number, one in enumerate(of_processes)
        if one != usual
    ]
    more = [f'{len(texts) - _SHOWN} more processes differ'] if len(texts) > _SHOWN else []
    return '; '.join(texts[:_SHOWN] + more)


def _differences(one, usual):
    names = [
        name
        for name in dict.fromkeys([*usual, *one])
        if one.get(name, _MISSING) != usual.get(name, _MISSING)
    ]
    return ', '.join(
        f'{name} ({one.get(name, _MISSING)!r}, not {usual.get(name, _MISSING)!r})' for name in names
    )


def _digest_file(path):
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except FileNotFoundError:
        return _MISSING
    except OSError as error:
        return f'unreadable: {error}'


def _content(workdir):
    """What tells a workdir that all processes share from one of each process."""
    names = [path.name for path in workdir.glob('*')]
    names += [f'checkpoints/{path.name}' for path in workdir.glob('checkpoints/*')]
    digest = hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()[:8]
    return f'{len(names)} files, {digest}'
