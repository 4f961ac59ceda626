"""Exported files compute what evaluation computes, without this package."""

import functools
import json
import zipfile

import jax
import numpy as np
import pytest

from cda_jax.errors import InputError
from cda_jax.evaluate import logit_adjustment
from cda_jax.models import CDA, ResNet
from cda_jax.step import init_weights, predict
from cda_jax.trained import load_trained
from cda_jax.use.export import TOLERANCE, compare, export_network, open_exported
from cda_jax.use.onnx_graph import make_onnx

PACKAGE = {'stablehlo': 'flatbuffers', 'onnx': 'onnxruntime'}


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['stablehlo', 'onnx'])
def test_a_file_agrees_with_evaluation_on_the_test_sets(finished, tmp_path, kind):
    pytest.importorskip(PACKAGE[kind])
    trained, path = load_trained(finished[0]), tmp_path / 'network'
    exported = export_network(trained, path, kind, 'mean')
    run = open_exported(path, kind)
    found = compare(run, exported, 'mean', 20)
    assert found.num_pictures == 60
    assert found.largest_difference < TOLERANCE
    assert found.other_classes == 0
    assert compare(run, exported, 'mean', 1).num_pictures == 3
    assert compare(lambda x: run(x)[:, ::-1], exported, 'mean', 20).other_classes > 0
    if kind == 'stablehlo':
        about = json.loads(zipfile.ZipFile(path).read('about.json'))
        names = about['class_names']
    else:
        import onnx

        about = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        names = json.loads(about['class_names'])
    assert tuple(names) == trained.class_names
    assert about['input'].startswith(
        'uint8[b, 36, 36, 3], RGB: a face box scaled to 32 x 32 pixels'
    )
    with pytest.raises(InputError, match="head 'common': expected one of"):
        export_network(trained, path, kind, 'common')


@pytest.mark.slow  # compiles whole networks
@pytest.mark.parametrize(
    ('depth', 'image_size', 'site_heads', 'head', 'network', 'site_classes'),
    [
        (8, 33, 2, 3, {'batch_norm': 'site'}, ()),
        (50, 32, 0, 0, {'padding': 'symmetric'}, ()),
        (10, 50, 2, 1, {'batch_norm': 'site_statistics'}, ((0, 1, 2), (1, 2, 3, 4))),
        (10, 33, 2, 3, {'padding': 'symmetric'}, ((0, 1, 2), (1, 2, 3, 4))),
    ],
)
def test_an_onnx_graph_computes_the_network(
    depth, image_size, site_heads, head, network, site_classes
):
    onnxruntime = pytest.importorskip('onnxruntime')
    model = CDA(
        feature_extractor=ResNet(depth=depth, width=8, feature_size=24, num_sites=2, **network),
        num_classes=5,
        num_site_heads=site_heads,
        common_head=True,
        num_sites=2,
        classifier_widths=(12,),
        site_classes=site_classes,
    )
    untrained = jax.jit(functools.partial(init_weights, model, image_size))(jax.random.key(0))
    rng = np.random.default_rng(1)
    # Every number at random, so that none can be left out unnoticed.
    weights = jax.tree.map(lambda x: x + 0.005 * rng.normal(size=x.shape), untrained)
    weights = jax.tree.map(np.float32, weights)
    # Without training, a deep network's features are so large that softmax gives 0 and 1 only.
    feature = weights['params']['feature_extractor']['feature']
    feature['kernel'] = feature['kernel'] / np.float32(30)
    adjust = logit_adjustment(0.7, rng.integers(1, 50, (model.num_heads, 5)))
    shape = 3, image_size + 6, image_size + 6, 3
    pictures = rng.integers(0, np.reshape([60, 150, 256], (3, 1, 1, 1)), shape, np.uint8)
    ask = functools.partial(predict, model=model, image_size=image_size, adjust=adjust)
    sites = np.full(len(pictures), head if head < site_heads else -1)
    wanted = jax.jit(ask)(weights, {'image': pictures, 'site': sites})[1][head]
    content = make_onnx(
        model, weights, head, adjust, {}, record_size=image_size + 6, image_size=image_size
    )
    session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
    np.testing.assert_allclose(session.run(None, {'pictures': pictures})[0], wanted, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 1e-3  # pictures differ
