"""What a run starts from instead of random weights: another run, or a file of timm's weights."""

import functools
from pathlib import Path

import jax
import numpy as np

from cda_jax.config import NETWORK, Config
from cda_jax.data.arrays import read_npz
from cda_jax.errors import InputError, import_extra
from cda_jax.models import CDA
from cda_jax.models.timm import from_timm
from cda_jax.runtime.multihost import together
from cda_jax.step import init_weights
from cda_jax.trained import load_trained

_EXTRACTOR = 'feature_extractor'
# Fields in which a network and the one that it starts from must agree.
_OF_EXTRACTOR = frozenset({'resnet_depth', 'resnet_width', 'feature_size', 'batch_norm', 'padding'})


def read_pretrained(config: Config, model: CDA, class_names: tuple[str, ...]) -> dict:
    """The weights that the config's `init_from` names: some branches of `init_weights`, or all.

    An `InputError` names the field if there are none there, or they are of another network.
    """
    path = Path(config.init_from)
    if path.is_dir():
        return _of_run(config, path, class_names)
    with together():
        return _of_file(config, path, model)


def _of_run(config, workdir, class_names):
    try:
        trained = load_trained(workdir)
    except InputError as error:
        raise InputError(f'config field init_from: {error}') from error
    is_whole = config.init_parts == 'all'
    same = NETWORK - {'weight_average', 'image_size'} if is_whole else _OF_EXTRACTOR
    if config.shared_head and not trained.model.has_dataset_classifier:
        same -= {'sites'}  # no part is a site's own
    if config.batch_norm != 'shared':
        same |= {'sites'}
    pairs = {
        f'config field {name}': (getattr(config, name), getattr(trained.config, name))
        for name in sorted(same)
    }
    if is_whole:
        pairs['class_names'] = class_names, trained.class_names
    for name, (here, there) in pairs.items():
        if here != there:
            raise InputError(
                f'{name}: {here!r} here, {there!r} in the run that init_from names, {workdir}; '
                'expected the same'
            )
    weights = jax.device_get(trained.weights)
    parts = {kind: {_EXTRACTOR: tree[_EXTRACTOR]} for kind, tree in weights.items()}
    return weights if is_whole else parts


def _of_file(config, path, model):
    if config.init_parts == 'all':
        raise InputError(
            f"config field init_parts is 'all', but init_from, {path}, is not the workdir of a "
            "run; expected 'feature_extractor'"
        )
    if not path.exists() or path.suffix not in _READERS:
        fault = 'cannot be used' if path.exists() else 'no such file or directory'
        raise InputError(
            f'config field init_from: {path}: {fault}; expected the workdir of a run, or weights '
            'of timm as .safetensors or .npz'
        )
    for field, expected in {'padding': 'symmetric', 'batch_norm': 'shared'}.items():
        if (value := getattr(config, field)) != expected:
            raise InputError(
                f'config field {field} is {value!r} beside init_from, {path}; expected '
                f'{expected!r}, as networks of timm have it'
            )
    untrained = functools.partial(init_weights, model, config.image_size, jax.random.key(0))
    like = {kind: tree[_EXTRACTOR] for kind, tree in jax.eval_shape(untrained).items()}
    try:
        arrays = _READERS[path.suffix](path)
        found = from_timm(arrays, like)
    except InputError as error:
        text = str(error).removeprefix(f'{path}: ')
        depth = f'config field resnet_depth is {config.resnet_depth}'
        raise InputError(f'config field init_from: {path}: {text}; {depth}') from error
    return {kind: {_EXTRACTOR: tree} for kind, tree in found.items()}


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    safetensors = import_extra('safetensors.numpy', 'pretrained')
    try:
        return safetensors.load_file(path)
    except Exception as error:  # a damaged file may raise anything
        raise InputError(f'expected a whole safetensors file ({error})') from error


_read_arrays = functools.partial(read_npz, max_bytes=2**32)
_READERS = {'.npz': _read_arrays, '.safetensors': _read_safetensors}
