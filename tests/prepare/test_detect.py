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


def test_a_file_that_is_no_detector():
    with pytest.raises(InputError, match='no ONNX file of YuNet'):
        face_detector(b'nothing of the kind')
