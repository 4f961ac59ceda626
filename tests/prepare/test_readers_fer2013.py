from pathlib import Path

import numpy as np
import pytest
from helpers import files

from cda_jax.errors import InputError
from cda_jax.prepare.crop import decode
from cda_jax.prepare.dataset import Skipped
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.expressions import EXPRESSIONS

# The file's own order of emotions.
NATIVE = ('Anger', 'Disgust', 'Fear', 'Happiness', 'Sadness', 'Surprise', 'Neutral')
USAGES = ('Training', 'PublicTest', 'PrivateTest')
HEADER = 'emotion,pixels,Usage'


def face(seed):
    return np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)


def pixels(image):
    return ' '.join(map(str, image.ravel()))


def line(emotion, usage, seed=0):
    return f'{emotion},{pixels(face(seed))},{usage}'


def write(root, *lines, name='fer2013.csv', end='\n'):
    return files.write(root / name, end.join(lines) + end)


def every_emotion_and_usage():
    return [
        line(emotion, usage, seed=7 * number + emotion)
        for number, usage in enumerate(USAGES)
        for emotion in range(7)
    ]


@pytest.mark.parametrize(
    ('name', 'end'),
    [('fer2013.csv', '\n'), ('fer2013/fer2013.csv', '\r\n'), ('icml_face_data.csv', '\n')],
)
def test_every_row_carries_its_label_split_and_picture(tmp_path, name, end):
    lines = [HEADER, *every_emotion_and_usage()]
    if name == 'icml_face_data.csv':  # it has blanks and another order
        lines = ['{0}, {2}, {1}'.format(*line.split(',')) for line in lines]
    write(tmp_path, *lines, name=name, end=end)
    dataset = read('fer2013', tmp_path)
    rows = list(dataset.rows)

    assert dataset.class_names == EXPRESSIONS
    assert dataset.sources == (tmp_path / name,)
    file_name = Path(name).name
    assert [row.id for row in rows] == [f'{file_name}:{number}' for number in range(2, 23)]
    assert rows[7:14] == [
        Skipped(f'{file_name}:{number}', 'public test set not used', fault=False)
        for number in range(9, 16)
    ]
    for start, split in ((0, 'train'), (14, 'test')):
        for emotion, row in enumerate(rows[start : start + 7]):
            assert (row.photo, row.path, row.box, row.split) == (row.id, None, None, split)
            assert EXPRESSIONS[row.label] == NATIVE[emotion]
            assert row.data.startswith(b'\x89PNG')
            image = decode(row.data)
            np.testing.assert_array_equal(image, np.repeat(face(start + emotion)[..., None], 3, 2))


@pytest.mark.parametrize('public_test', ['train', 'validation', 'test'])
def test_the_public_test_set_can_join_either_split(tmp_path, public_test):
    path = write(tmp_path, HEADER, *every_emotion_and_usage())
    splits = [row.split for row in read('fer2013', path, public_test=public_test).rows]
    assert splits == ['train'] * 7 + [public_test] * 7 + ['test'] * 7
    with pytest.raises(InputError, match='expected exclude, train, validation, test, found'):
        read('fer2013', tmp_path, public_test='all')


@pytest.mark.parametrize(
    ('damaged', 'reason', 'detail'),
    [
        ('', 'not 48 x 48 pixels', '0 pixels'),
        (' '.join(['7'] * 2303), 'not 48 x 48 pixels', '2303 pixels'),
        (' '.join(['7'] * 2303 + ['256']), 'pixel not an integer of 0..255', '256'),
        (' '.join(['7.0'] + ['7'] * 2303), 'pixel not an integer of 0..255', '7.0'),
        (' '.join(['x' * 50] + ['7'] * 2303), 'pixel not an integer of 0..255', 'x' * 20),
    ],
)
def test_damaged_pixels_cost_their_row_only(tmp_path, damaged, reason, detail):
    lines = [line(0, 'Training'), *(f'1,{damaged},{usage}' for usage in USAGES[:2])]
    write(tmp_path, HEADER, *lines, line(2, 'PrivateTest'))
    first, second, third, last = read('fer2013', tmp_path).rows
    assert (first.label, last.label, last.id) == (5, 1, 'fer2013.csv:5')
    assert second == Skipped('fer2013.csv:3', reason, detail)
    # A set that is left out is not looked at.
    assert third == Skipped('fer2013.csv:4', 'public test set not used', fault=False)


@pytest.mark.parametrize(
    ('bad', 'message'),
    [
        ('7,1 2,Training', "expected an emotion of 0..6, found '7'"),
        ('x,1 2,PublicTest', "expected an emotion of 0..6, found 'x'"),
        ('0,1 2,training', "expected the Usage Training, PublicTest, PrivateTest, found 'trainin"),
        ('0,1 2 3', 'expected the 3 fields emotion,pixels,Usage, found 2'),
    ],
)
def test_a_row_that_is_not_understood_is_named_by_file_and_line(tmp_path, bad, message):
    path = write(tmp_path, HEADER, line(0, 'Training'), bad)
    rows = iter(read('fer2013', tmp_path).rows)
    assert next(rows).id == 'fer2013.csv:2'
    with pytest.raises(InputError, match=f'^{path}, line 3: {message}'):
        next(rows)


@pytest.mark.parametrize('header', ['emotion,pixels', 'emotion,pixels,Usage,Usage', 'a,b,c', ''])
def test_another_header_is_an_error_at_once(tmp_path, header):
    path = write(tmp_path, header)
    with pytest.raises(InputError, match=f'{path}, line 1: expected a header with emotion, pixels'):
        read('fer2013', tmp_path)
