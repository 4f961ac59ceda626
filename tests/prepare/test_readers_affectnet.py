import numpy as np
import pytest
from helpers.files import npy_bytes, write

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Example, Skipped
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.expressions import EXPRESSIONS

HEADER = (
    'subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,'
    'valence,arousal'
)


def line(picture, box, expression, *outcome):
    return f'{picture},{box},{";".join(["123.45"] * 136)},{expression},-0.5,0.25'


# Picture, box and expression, and what becomes of them: box and label, or reason and detail.
TRAINING = (
    ('1/aa.jpg', '10,20,30,50', 3, (10, 20, 40, 70), 0),
    ('1/aa.jpg', '134.0,5.0,12.0,6.0', '4.0', (134, 5, 146, 11), 1),  # as pandas writes it
    ('2/bb.JPEG', '1,2,3,4', 7, 'class not used', 'contempt'),
    ('2/bb.JPEG', 'NULL,NULL,3,4', 10, 'class not used', 'no face'),
    ('2/bb.JPEG', 'NULL,NULL,30,40', 1, 'box missing or not finite', 'NULL,NULL,30,40'),
    ('2/bb.JPEG', '10,20,-30,40', 1, 'box without area', '10,20,-30,40'),
    ('2/gone.png', '1,2,3,4', 1, 'missing picture', '2/gone.png'),
    ('3/gone.png', '1,2,3,4', 8, 'class not used', 'none'),
    ('2/cc.TIF', '1,2,3,4', 'happy', 'non-numeric expression', 'happy'),
    ('2/cc.TIF', '1,2,3,4', 'NaN', 'non-numeric expression', 'NaN'),
    ('2/cc.TIF', ',2,3,4', 6, 'box missing or not finite', ',2,3,4'),
    ('../../away.jpg', '1,2,3,4', 6, 'path outside the root', '../../away.jpg'),
    ('2/cc.TIF', '1,2,3,4', 0, (1, 2, 4, 6), 6),
)
VALIDATION = (
    ('1389/dd.bmp', '0,0,7,8', 5, (0, 0, 7, 8), 2),
    ('1389/dd.bmp', '0,0,7,8', 9, 'class not used', 'uncertain'),
)
PICTURES = ('1/aa.jpg', '2/bb.JPEG', '2/cc.TIF', '1389/dd.bmp')
PLACES = [
    ('.', 'Manually_Annotated_Images'),
    ('Manually_Annotated_file_lists', 'Manually_Annotated/Manually_Annotated_Images'),
    ('Manually_Annotated', 'Manually_Annotated/Manually_Annotated_Images'),
    ('.', 'Manually_Annotated'),
]


def make_csv(root, *more, places=PLACES[0], header=True):
    lists, images = (root / place for place in places)
    mark = '\ufeff' * header  # a byte order mark is no part of the header
    training, validation = ([line(*row) for row in rows] for rows in (TRAINING, VALIDATION))
    write(lists / 'training.csv', mark + '\n'.join((HEADER, *more, *training)) + '\n')
    write(lists / 'validation.csv', '\r\n'.join([HEADER] * header + validation))
    for picture in PICTURES:
        write(images / picture)
    return lists, images


@pytest.mark.parametrize('header', [True, False])
@pytest.mark.parametrize('places', PLACES)
def test_every_csv_row_is_a_row(tmp_path, places, header):
    lists, images = make_csv(tmp_path, places=places, header=header)
    dataset = read('affectnet', tmp_path)

    def row(name, number, split, picture, box, label):
        if isinstance(box, str):
            return Skipped(f'{name}.csv:{number}', box, label, fault=box != 'class not used')
        photo = f'{places[1]}/{picture}'
        path = images / picture
        return Example(f'{name}.csv:{number}', photo, path, Box(*box), label, split)

    assert dataset.class_names == EXPRESSIONS
    assert dataset.sources == (lists / 'training.csv', lists / 'validation.csv')
    assert dataset.test_photos is None
    training, validation = enumerate(TRAINING, 2), enumerate(VALIDATION, 1 + header)
    expected = [row('training', i, 'train', name, *rest) for i, (name, _, _, *rest) in training]
    expected += [row('validation', i, 'test', name, *rest) for i, (name, _, _, *rest) in validation]
    assert list(dataset.rows) == expected


@pytest.mark.parametrize(
    ('picture', 'box', 'expression', 'message'),
    [
        ('1/aa.jpg', '1,2,3,4', 11, r", line 3: expected an expression of 0\.\.10, found '11'"),
        ('1/aa.jpg', '1,2,3,4', -1, r', line 3: expected an expression of 0\.\.10'),
        ('1/aa.jpg', '1,2,3,4', 3.5, r', line 3: expected an expression of 0\.\.10'),
        ('1/aa.jpg', '1,2,three,4', 3, ', line 3: expected numbers or NULL for face_x,face_y'),
        ('1/aa.jpg', '1,2,3', 3, ', line 3: expected the 9 fields subDirectory_.* found 8'),
        ('"1/aa.jpg', '1,2,3,4', 3, ', after line 2: expected comma-separated'),  # an open quote
    ],
)
def test_a_malformed_row_is_named(tmp_path, picture, box, expression, message):
    make_csv(tmp_path, line(*TRAINING[0]), line(picture, box, expression))
    with pytest.raises(InputError, match=rf'training\.csv{message}'):
        read('affectnet', tmp_path)


def make_npy(root, test_folder='val_set'):
    labels = {
        'train_set': {'0': 0, '7': 7, '10': 3, '9': 6, '12': '5', '13': b'4', '14': 'x', '20': 1},
        test_folder: {'7': np.float32(1), '8': 2},
    }
    for folder, labelled in labels.items():
        for number, label in labelled.items():
            for kind in ('exp', 'val', 'aro', 'lnd'):
                path = write(root / folder / f'annotations/{number}_{kind}.npy')
                np.save(path, label if kind == 'exp' else np.zeros(2))
            write(root / folder / f'images/{number}.jpg')
    (root / 'train_set/images/20.jpg').unlink()
    for name in ('images/21.jpg', 'images/.DS_Store', 'annotations/._7_exp.npy'):
        write(root / 'train_set' / name)
    np.save(root / test_folder / 'annotations/11_exp.npy', 0)
    for name in ('Thumbs.db', 'face.jpg', '9.txt', '8.png', '11.PNG'):
        write(root / test_folder / 'images' / name)


@pytest.mark.parametrize('test_folder', ['val_set', 'valid_set'])
def test_every_number_of_the_npy_release_is_a_row(tmp_path, test_folder):
    make_npy(tmp_path, test_folder)

    dataset = read('affectnet', tmp_path)

    def example(folder, name, label, split):
        photo = f'{folder}/images/{name}'
        row_id = f'{folder}/{name.partition(".")[0]}'
        return Example(row_id, photo, tmp_path / photo, None, label, split)

    assert dataset.class_names == EXPRESSIONS
    assert list(dataset.rows) == [
        example('train_set', '0.jpg', 6, 'train'),
        Skipped('train_set/7', 'class not used', 'contempt', fault=False),
        example('train_set', '9.jpg', 5, 'train'),
        example('train_set', '10.jpg', 0, 'train'),
        example('train_set', '12.jpg', 2, 'train'),
        example('train_set', '13.jpg', 1, 'train'),
        Skipped('train_set/14', 'non-numeric expression', 'x'),
        Skipped('train_set/20', 'missing picture', '20.jpg'),
        Skipped('train_set/21', 'missing label file', '21_exp.npy'),
        example(test_folder, '7.jpg', 3, 'test'),
        example(test_folder, '8.jpg', 4, 'test'),
        example(test_folder, '11.PNG', 6, 'test'),
        Skipped(f'{test_folder}/images/9.txt', 'not named NUMBER.jpg'),
        Skipped(f'{test_folder}/images/face.jpg', 'not named NUMBER.jpg'),
    ]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (npy_bytes(np.array(11)), r"expected an expression of 0\.\.10, found '11'"),
        (npy_bytes(np.array([1, 2])), 'expected an npy file of one label'),
        (npy_bytes(np.array('5')).replace(b'5\0\0', b'\0\0\x11'), 'expected an npy .*character'),
        (b'', 'expected a file of NumPy arrays'),
    ],
)
def test_a_malformed_label_file_is_named(tmp_path, content, message):
    make_npy(tmp_path)
    (tmp_path / 'train_set/annotations/9_exp.npy').write_bytes(content)
    with pytest.raises(InputError, match=rf'annotations/9_exp\.npy: {message}'):
        read('affectnet', tmp_path)


def test_missing_parts_another_header_and_both_releases_are_named(tmp_path):
    def refused(message):
        with pytest.raises(InputError, match=f'{tmp_path}{message}'):
            read('affectnet', tmp_path)

    write(tmp_path / 'validation.csv', HEADER)
    missing = 'training.csv and Manually_Annotated_Images/ not found'
    refused(f': expected training.csv, .* of AffectNet; {missing}; found validation.csv$')
    lists, _ = make_csv(tmp_path)
    write(lists / 'training.csv', HEADER.replace('face_x,face_y', 'face_y,face_x') + '\n')
    refused('/training.csv, line 1: expected the 9 fields')
    (tmp_path / 'val_set/images').mkdir(parents=True)
    refused(': holds both releases')
    for name in ('training.csv', 'validation.csv'):
        (tmp_path / name).unlink()
    refused(': expected train_set/ and val_set/, .*; found .*val_set/')
    make_npy(tmp_path)
    (tmp_path / 'val_set/annotations').rename(tmp_path / 'elsewhere')
    refused('/val_set: expected .*annotations/; found images/$')
