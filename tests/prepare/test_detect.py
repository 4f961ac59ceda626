"""Faces in whole photographs."""

import cv2
import numpy as np
import pytest

from cda_jax.data.manifest import read_manifest
from cda_jax.errors import InputError
from cda_jax.prepare.detect import face_detector
from cda_jax.prepare.readers import class_folders
from cda_jax.prepare.run import prepare


@pytest.fixture(scope='module')
def photo():
    """A portrait (NASA, public domain) with the astronaut's face at about 175..265, 65..165."""
    return pytest.importorskip('skimage.data').astronaut()


def test_the_largest_face_is_the_astronauts(photo):
    detect = face_detector()
    for scale in (1, 3):  # of any size, in pixels of the picture as it is
        box = detect(cv2.resize(photo, None, fx=scale, fy=scale))[0]
        centre = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2 / scale
        np.testing.assert_allclose(centre, [220, 115], atol=15)
        assert 60 < (box.x1 - box.x0) / scale < 120
    assert detect(np.full((300, 200, 3), 128, np.uint8)) == []
    assert detect(np.zeros((1, 9, 3), np.uint8)) == []


def test_prepare_cuts_out_the_face_and_lists_pictures_without_one(photo, tmp_path):
    pictures = {'train/a/1.png': photo, 'test/a/2.png': photo, 'test/a/3.png': photo[:40]}
    for name, pixels in pictures.items():
        path = tmp_path / 'root' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels[..., ::-1])
    options = {'name': 'x', 'reader': 'folders', 'face_size': 32, 'max_skipped_share': 0.5}
    dataset = class_folders.read(tmp_path / 'root')
    manifest = prepare(dataset, tmp_path / 'out', crop='detect', **options)
    assert manifest.detector == 'cascade'
    assert manifest.skipped == {'no face found': 1}
    assert [row.id for row in manifest.skipped_rows] == ['test/a/3.png']
    with pytest.raises(InputError, match=r"another detector \('cascade' there, '' now"):
        prepare(dataset, tmp_path / 'out', **options)
    assert read_manifest(tmp_path / 'out') == manifest


def white_cells(onnx):
    """A network with YuNet's inputs and outputs that takes every white cell of 32 for a face."""
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node('ReduceMean', ['input'], ['grey'], axes=[1], keepdims=1)]
    outputs, constants = [], [helper.make_tensor('white', kinds.FLOAT, [], [255.0])]
    nodes.append(helper.make_node('Div', ['grey', 'white'], ['light']))
    for stride in (8, 16, 32):
        size = {'kernel_shape': [stride, stride], 'strides': [stride, stride]}
        mean, found, none = (f'{name}{stride}' for name in ('mean', 'found', 'none'))
        nodes.append(helper.make_node('AveragePool', ['light'], [mean], **size))
        nodes.append(helper.make_node('Floor', [mean], [found]))
        nodes.append(helper.make_node('Sub', [found, found], [none]))
        for name, width in {'cls': 1, 'obj': 1, 'bbox': 4, 'kps': 10}.items():
            cells, output = f'{name}{stride}', f'{name}_{stride}'
            source = found if width == 1 and stride == 32 else none
            nodes.append(helper.make_node('Concat', [source] * width, [cells], axis=1))
            constants.append(helper.make_tensor(f'to{cells}', kinds.INT64, [3], [1, -1, width]))
            nodes.append(helper.make_node('Reshape', [cells, f'to{cells}'], [output]))
            outputs.append(helper.make_tensor_value_info(output, kinds.FLOAT, [1, None, width]))
    pictures = helper.make_tensor_value_info('input', kinds.FLOAT, [1, 3, None, None])
    graph = helper.make_graph(nodes, 'cells', [pictures], outputs, constants)
    opset = helper.make_opsetid('', 11)
    return helper.make_model(graph, opset_imports=[opset], ir_version=7).SerializeToString()


def test_a_network_as_detector():
    detect = face_detector(white_cells(pytest.importorskip('onnx')))
    image = np.zeros((192, 320, 3), np.uint8)
    image[64:96, 128:160] = 255
    assert detect(image) == [(112, 48, 144, 80)]  # YuNet's boxes lie around a cell's corner
    # Twice as large as it searches: the white square has four cells, each of 64 pixels.
    corners = [(480, 224), (544, 224), (480, 288), (544, 288)]
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    assert sorted(detect(large)) == sorted((x, y, x + 64, y + 64) for x, y in corners)
    assert detect(image[:, :100]) == []
    with pytest.raises(InputError, match='no ONNX file of YuNet'):
        face_detector(b'nothing of the kind')
