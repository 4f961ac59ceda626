"""Weights of timm's pre-activation ResNets as those of ours, which has the same layers.

They are `resnetv2_18`, `_34`, `_50`, `_101` and `_152` of
https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/resnetv2.py. Their strided
layers pad as our 'symmetric'; their batch norm has our epsilon.
"""

import re
from collections.abc import Mapping

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from cda_jax.errors import InputError

_LAYERS = {'stem': 'stem.conv', 'shortcut': 'downsample.conv', 'feature': 'head.fc'}
_ARRAYS = {'kernel': 'weight', 'scale': 'weight', 'mean': 'running_mean', 'var': 'running_var'}


def from_timm(
    arrays: Mapping[str, np.ndarray], like: dict[str, dict[str, dict]]
) -> dict[str, dict[str, dict]]:
    """The `params` and `batch_stats` of a `ResNet` like those given, from a state dict of timm's.

    The last layer, `feature`, is timm's classifier; it is missing where that was left out
    (`num_classes=0`).

    Raises InputError if they are of another depth, width or architecture, named by the config's
    fields; the caller says which file they are of.
    """
    arrays = {name: x for name, x in arrays.items() if not name.endswith('.num_batches_tracked')}
    ours = {_name_in_timm(path): (path, leaf) for path, leaf in flatten_dict(like).items()}
    if not any(name.startswith('head.') for name in arrays):
        ours = {name: entry for name, entry in ours.items() if not name.startswith('head.')}
    if missing := sorted(ours.keys() - arrays.keys()) or sorted(arrays.keys() - ours.keys()):
        lacks = 'lacks' if missing[0] in ours else 'also has'
        raise InputError(
            f'{lacks} {missing[0]}; expected the arrays of timm.models.resnetv2 with batch norm, '
            'of the same depth'
        )
    return unflatten_dict(
        {path: _as_ours(name, arrays[name], leaf.shape) for name, (path, leaf) in ours.items()}
    )


def _name_in_timm(path: tuple[str, ...]) -> str:
    _, *layers, array = path
    block = re.fullmatch(r'stage(\d)_block(\d+)', layers[0])
    if block:
        layers[0] = f'stages.{int(block[1]) - 1}.blocks.{int(block[2]) - 1}'
    return '.'.join([*(_LAYERS.get(layer, layer) for layer in layers), _ARRAYS.get(array, array)])


def _as_ours(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.ndim > 1:  # output and input channels first; the classifier is a 1x1 convolution
        array = np.moveaxis(array, (0, 1), (-1, -2))
        if len(shape) == 2 and array.shape[:-2] == (1, 1):
            array = array[0, 0]
    if array.shape != shape:
        field = 'feature_size' if name.startswith('head.') else 'resnet_width'
        raise InputError(
            f'holds {name} for a layer of shape {array.shape}, expected {shape}, as config '
            f'field {field} has it'
        )
    return np.asarray(array, np.float32)
