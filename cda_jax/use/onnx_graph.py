"""The evaluation of a network as an ONNX graph.

Written out by hand, because no converter from JAX can be installed beside the versions of JAX and
Orbax that training needs (docs/using_a_model.md).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cda_jax.errors import InputError, import_extra
from cda_jax.models import CDA
from cda_jax.models.cda import ABSENT
from cda_jax.models.resnet import RESNET_DEPTHS

# Known to all runtimes of the last years.
_OPSET, _IR_VERSION = 17, 8


def make_onnx(
    model: CDA,
    weights: Mapping[str, Any],
    head: int,
    adjust: Callable | None,
    about: Mapping[str, Any],
    *,
    record_size: int,
    image_size: int,
) -> bytes:
    """The content of an ONNX file: uint8[b, S, S, 3] in, float32[b, C] probabilities out.

    Args:
        head: Which answer of `cda_jax.step.predict`.
        adjust: What that does to the logits, a constant of each head and class.
        about: Put into the file's metadata, as JSON where it is not a text.
        record_size: S.
        image_size: Side of the network's input, the centre of that.

    Raises:
        InputError: The package `onnx` is not installed, or the network has transition matrices.
    """
    if model.transition_matrices:
        raise InputError('ONNX files know no transition_matrices; expected --format=stablehlo')
    onnx = import_extra('onnx', 'onnx')
    graph = _Graph(onnx)
    start = (record_size - image_size) // 2
    edges = [np.array([edge, edge]) for edge in (start, start + image_size)]
    x = graph('Slice', 'pictures', *edges, np.array([1, 2]))
    x = graph('Cast', x, to=onnx.TensorProto.FLOAT)
    x = graph('Sub', graph('Div', x, np.float32(127.5)), np.float32(1))
    x = graph('Transpose', x, perm=[0, 3, 1, 2])

    params, stats = weights['params'], weights['batch_stats']['feature_extractor']
    site = head if head < model.num_site_heads else None
    features = _resnet(graph, model.feature_extractor, params['feature_extractor'], stats, x, site)
    mean_of = range(model.num_site_heads or 1)
    knows = model.classes_of_heads
    offsets = np.where(knows, 0, ABSENT).astype(np.float32)[:, None]
    offsets = offsets if adjust is None else np.asarray(adjust(offsets))
    answers = [
        _classifier(graph, model, params[f'emotion_classifiers_{i}'], features, offsets[i])
        for i in (mean_of if head == model.num_heads else [head])
    ]
    total = answers[0] if len(answers) == 1 else graph('Sum', *answers)
    if len(answers) > 1:  # as `CDA.mean_of_sites`
        total = graph('Div', total, knows[mean_of].sum(axis=0).astype(np.float32))
    graph('Div', total, graph('ReduceSum', total, np.array([-1])), output='probabilities')

    tensor, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    pictures = tensor('pictures', kinds.UINT8, ['b', record_size, record_size, 3])
    probabilities = tensor('probabilities', kinds.FLOAT, ['b', model.num_classes])
    made = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, 'cda', [pictures], [probabilities], graph.constants),
        opset_imports=[onnx.helper.make_opsetid('', _OPSET)],
        ir_version=_IR_VERSION,
        producer_name='cda_jax',
    )
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items()}
    onnx.helper.set_model_props(made, texts)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


class _Graph:
    """Nodes in the order in which they are called, each with one output."""

    def __init__(self, onnx: Any):
        self.nodes, self.constants = [], []
        self._onnx = onnx

    def __call__(self, kind: str, *inputs: str | np.ndarray, output: str = '', **how: Any) -> str:
        output = output or f'{kind}{len(self.nodes)}'
        names = [x if isinstance(x, str) else self._constant(np.asarray(x)) for x in inputs]
        self.nodes.append(self._onnx.helper.make_node(kind, names, [output], **how))
        return output

    def _constant(self, array: np.ndarray) -> str:
        name = f'constant{len(self.constants)}'
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name


def _resnet(
    graph: _Graph, network: Any, params: Mapping, stats: Mapping, x: str, site: int | None
) -> str:
    """As `cda_jax.models.resnet.ResNet` in evaluation, for pictures of a site or of none."""

    def own(figure):  # of one site, where batch norm has one for each
        figure = np.asarray(figure)
        if figure.ndim == 2:
            figure = figure.mean(axis=0) if site is None else figure[site]
        return figure

    def pad(size):
        is_symmetric = network.padding == 'symmetric'
        return {'pads': [size // 2] * 4} if is_symmetric else {'auto_pad': 'SAME_UPPER'}

    def norm(x, params, stats):
        figures = map(own, (params['scale'], params['bias'], stats['mean'], stats['var']))
        return graph('Relu', graph('BatchNormalization', x, *figures, epsilon=1e-5))

    def conv(x, params, stride=1):
        kernel = np.asarray(params['kernel']).transpose(3, 2, 0, 1)
        return graph('Conv', x, kernel, strides=[stride, stride], **pad(kernel.shape[-1]))

    x = conv(x, params['stem'], 2)
    x = graph('MaxPool', x, kernel_shape=[3, 3], strides=[2, 2], **pad(3))
    convolutions = 3 if network.depth >= 50 else 2
    strided = convolutions - 1  # of them, the first 3x3
    for stage, num_blocks in enumerate(RESNET_DEPTHS[network.depth], start=1):
        for index in range(1, num_blocks + 1):
            name = f'stage{stage}_block{index}'
            block, block_stats = params[name], stats[name]
            stride = 2 if stage > 1 and index == 1 else 1
            y = norm(x, block['norm1'], block_stats['norm1'])
            x = conv(y, block['shortcut'], stride) if 'shortcut' in block else x
            for number in range(1, convolutions + 1):
                if number > 1:
                    y = norm(y, block[f'norm{number}'], block_stats[f'norm{number}'])
                y = conv(y, block[f'conv{number}'], stride if number == strided else 1)
            x = graph('Add', x, y)
    x = norm(x, params['norm'], stats['norm'])
    return _dense(graph, graph('Flatten', graph('GlobalAveragePool', x)), params['feature'])


def _classifier(graph: _Graph, model: CDA, params: Mapping, x: str, offsets: np.ndarray) -> str:
    for index in range(1, len(model.classifier_widths) + 1):
        x = _dense(graph, x, params[f'dense{index}'])
        x = graph('LeakyRelu', x, alpha=model.negative_slope)
    logits = graph('Add', _dense(graph, x, params['logits']), offsets)
    return graph('Softmax', logits, axis=-1)


def _dense(graph: _Graph, x: str, params: Mapping) -> str:
    return graph('Gemm', x, params['kernel'], params['bias'])
