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
LANDMARKS = ';'.join(['123.45'] * 136)


def line(picture, box, expression):
    return f'{picture},{box},{LANDMARKS},{expression},-0.5,0.25'


TRAINING = (
    line('1/aa.jpg', '10,20,30,50', 3),
    line('1/aa.jpg', '134.0,5.0,12.0,6.0', '4.0'),  # the same file again, as pandas writes it
    line('2/bb.JPEG', '1,2,3,4', 7),
    line('2/bb.JPEG', 'NULL,NULL,3,4', 10),
    line('2/bb.JPEG', 'NULL,NULL,30,40', 1),
    line('2/bb.JPEG', '10,20,-30,40', 1),
    line('2/gone.png', '1,2,3,4', 1),
    line('3/gone.png', '1,2,3,4', 8),
    line('2/cc.TIF', '1,2,3,4', 'happy'),
    line('2/cc.TIF', '1,2,3,4', 'NaN'),
    line('2/cc.TIF', ',2,3,4', 6),
    line('../../away.jpg', '1,2,3,4', 6),
    line('/etc/away.jpg', '1,2,3,4', 6),
    line('2/cc.TIF', '1,2,3,4', 0),
)
VALIDATION = (line('1389/dd.bmp', '0,0,7,8', 5), line('1389/dd.bmp', '0,0,7,8', 9))
PICTURES = ('1/aa.jpg', '2/bb.JPEG', '2/cc.TIF', '1389/dd.bmp')
PLACES = [
    ('.', 'Manually_Annotated_Images'),
    ('Manually_Annotated_file_lists', 'Manually_Annotated/Manually_Annotated_Images'),
    ('Manually_Annotated', 'Manually_Annotated/Manually_Annotated_Images'),
    ('.', 'Manually_Annotated'),
]


def make_csv(root, training=TRAINING, validation=VALIDATION, places=PLACES[0], header=True):
    lists, images = (root / place for place in places)
    write(lists / 'training.csv', '\n'.join((HEADER, *training)) + '\n')
    write(lists / 'validation.csv', '\n'.join((HEADER, *validation) if header else validation))
    for picture in PICTURES:
        write(images / picture)
    return lists, images


@pytest.mark.parametrize('header', [True, False])
@pytest.mark.parametrize('places', PLACES)
def test_every_csv_row_is_a_row(tmp_path, places, header):
    lists, images = make_csv(tmp_path, places=places, header=header)
    training = lists / 'training.csv'  # with a byte order mark and the ends of lines of Windows
    training.write_text(training.read_text(), encoding='utf-8-sig', newline='\r\n')

    dataset = read('affectnet', tmp_path)

    def example(row_id, picture, box, label, split='train'):
        photo = f'{places[1]}/{picture}'
        return Example(row_id, photo, images / picture, Box(*box), label, split)

    last = 2 if header else 1
    assert dataset.class_names == EXPRESSIONS
    assert dataset.sources == (lists / 'training.csv', lists / 'validation.csv')
    assert dataset.test_photos is None
    assert list(dataset.rows) == [
        example('training.csv:2', '1/aa.jpg', (10, 20, 40, 70), 0),
        example('training.csv:3', '1/aa.jpg', (134, 5, 146, 11), 1),
        Skipped('training.csv:4', 'class not used', 'contempt', fault=False),
        Skipped('training.csv:5', 'class not used', 'no face', fault=False),
        Skipped('training.csv:6', 'box missing or not finite', 'NULL,NULL,30,40'),
        Skipped('training.csv:7', 'box without area', '10,20,-30,40'),
        Skipped('training.csv:8', 'missing picture', '2/gone.png'),
        Skipped('training.csv:9', 'class not used', 'none', fault=False),
        Skipped('training.csv:10', 'non-numeric expression', 'happy'),
        Skipped('training.csv:11', 'non-numeric expression', 'NaN'),
        Skipped('training.csv:12', 'box missing or not finite', ',2,3,4'),
        Skipped('training.csv:13', 'path outside the root', '../../away.jpg'),
        Skipped('training.csv:14', 'path outside the root', '/etc/away.jpg'),
        example('training.csv:15', '2/cc.TIF', (1, 2, 4, 6), 6),
        example(f'validation.csv:{last}', '1389/dd.bmp', (0, 0, 7, 8), 2, 'test'),
        Skipped(f'validation.csv:{last + 1}', 'class not used', 'uncertain', fault=False),
    ]


@pytest.mark.parametrize(
    ('bad', 'message'),
    [
        (line('1/aa.jpg', '1,2,3,4', 11), r"expected an expression of 0\.\.10, found '11'"),
        ('"' + TRAINING[1], 'expected comma-separated'),
        (line('1/aa.jpg', '1,2,three,4', 3), r'expected numbers or NULL for face_x,face_y'),
        (line('1/aa.jpg', '1,2,3', 3), r'expected the 9 fields subDirectory_filePath,.* found 8'),
    ],
)
def test_a_malformed_row_is_named(tmp_path, bad, message):
    make_csv(tmp_path, (TRAINING[0], bad))
    with pytest.raises(InputError, match=rf'training\.csv, (line 3|after line 2): {message}'):
        read('affectnet', tmp_path)


def test_missing_parts_of_the_csv_release_and_another_header_are_named(tmp_path):
    write(tmp_path / 'validation.csv', HEADER)
    with pytest.raises(InputError, match='csv and Manually_Annotated_Images/ not found'):
        read('affectnet', tmp_path)
    lists, _ = make_csv(tmp_path)
    write(lists / 'training.csv', HEADER.replace('face_x,face_y', 'face_y,face_x') + '\n')
    with pytest.raises(InputError, match=r'training\.csv, line 1: expected the 9 fields'):
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


@pytest.mark.parametrize('test_folder', ['val_set', 'valid_set'])
def test_every_number_of_the_npy_release_is_a_row(tmp_path, test_folder):
    make_npy(tmp_path, test_folder)

    dataset = read('affectnet', tmp_path)

    def example(folder, number, label, split):
        photo = f'{folder}/images/{number}.jpg'
        return Example(f'{folder}/{number}', photo, tmp_path / photo, None, label, split)

    assert dataset.class_names == EXPRESSIONS
    assert list(dataset.rows) == [
        example('train_set', 0, 6, 'train'),
        Skipped('train_set/7', 'class not used', 'contempt', fault=False),
        example('train_set', 9, 5, 'train'),
        example('train_set', 10, 0, 'train'),
        example('train_set', 12, 2, 'train'),
        example('train_set', 13, 1, 'train'),
        Skipped('train_set/14', 'non-numeric expression', 'x'),
        Skipped('train_set/20', 'missing picture', '20.jpg'),
        Skipped('train_set/21', 'missing label file', '21_exp.npy'),
        example(test_folder, 7, 3, 'test'),
        example(test_folder, 8, 4, 'test'),
    ]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (npy_bytes(np.array(11)), r"expected an expression of 0\.\.10, found '11'"),
        (npy_bytes(np.array('5')).replace(b'5\0\0', b'\0\0\x11'), 'expected an npy .*character'),
        (b'', 'expected a file of NumPy arrays'),
    ],
)
def test_a_malformed_label_file_is_named(tmp_path, content, message):
    make_npy(tmp_path)
    (tmp_path / 'train_set/annotations/9_exp.npy').write_bytes(content)
    with pytest.raises(InputError, match=rf'annotations/9_exp\.npy: {message}'):
        read('affectnet', tmp_path)


def test_other_files_and_missing_folders_of_the_npy_release_are_named(tmp_path):
    make_npy(tmp_path)
    for name in ('Thumbs.db', 'face.jpg', '9.txt', '8.png', '11.PNG'):
        write(tmp_path / 'val_set/images' / name)
    np.save(tmp_path / 'val_set/annotations/11_exp.npy', 0)
    rows = list(read('affectnet', tmp_path).rows)
    assert [row.path.name for row in rows[-5:-2]] == ['7.jpg', '8.jpg', '11.PNG']
    assert rows[-2:] == [
        Skipped('val_set/images/9.txt', 'not named NUMBER.jpg'),
        Skipped('val_set/images/face.jpg', 'not named NUMBER.jpg'),
    ]
    (tmp_path / 'val_set').rename(tmp_path / 'elsewhere')
    with pytest.raises(InputError, match='val_set/ not found'):
        read('affectnet', tmp_path)
    (tmp_path / 'val_set/images').mkdir(parents=True)
    with pytest.raises(InputError, match=r'val_set: expected .* annotations/ not found'):
        read('affectnet', tmp_path)
    make_csv(tmp_path)
    with pytest.raises(InputError, match='holds both releases'):
        read('affectnet', tmp_path)
