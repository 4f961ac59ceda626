import shutil

import pytest
from helpers.files import write

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Example, Skipped
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.expressions import EXPRESSIONS

# What becomes of a line: box and label, or reason and detail.
LINES = {
    'train_00001.jpg 5': ((10.5, 20.25, 110, 140.75), 4),
    'train_00002.jpg 1': ((1, 2, 3, 4), 0),
    'test_0001.jpg 7': ((-3, 4, 500, 600), 6),
    'train_00003.jpg 2': ('missing picture', 'train_00003.jpg'),
    'train_00004.jpg 3': ('missing box file', 'train_00004_boundingbox.txt'),
    'test_0002.jpg 4': ('box without area', '(5.0, 5.0, 5.0, 9.0)'),
    'train_00005.jpg 6 happy 0.5': ('box missing or not finite', '(0.0, nan, 1.0, 1.0)'),
    '': (),
    'test_0003.jpg 2': ((0, 0, 1, 2), 1),
}
BOXES = {
    'train_00001_boundingbox': '10.5 20.25 110.0 140.75',
    'train_00002': '1\t2   3\n4 \n',
    'test_0001_boundingbox': ' -3 4 500 600\n',
    'train_00003_boundingbox': '0 0 1 1',
    'test_0002_boundingbox': '5 5 5 9',
    'train_00005_boundingbox': '0 nan 1 1',
    'test_0003_boundingbox': '0 0 1 2',
}


def make(base, lines=LINES, list_name='list_patition_label.txt'):
    write(base / 'EmoLabel' / list_name, '\n'.join(lines))
    for stem in {line.partition('.')[0] for line in LINES if line} - {'train_00003'}:
        write(base / f'Image/original/{stem}.jpg')
        write(base / f'Image/aligned/{stem}_aligned.jpg')
    for name, text in BOXES.items():
        write(base / f'Annotation/boundingbox/{name}.txt', text)


@pytest.mark.parametrize('list_name', ['list_patition_label.txt', 'list_partition_label.txt'])
@pytest.mark.parametrize('nesting', ['.', 'basic', 'basic/basic'])
def test_every_line_is_a_row(tmp_path, nesting, list_name):
    base = tmp_path / nesting
    make(base, list_name=list_name)
    write(tmp_path / f'__MACOSX/{nesting}/EmoLabel/._{list_name}', '\0')

    dataset = read('rafdb', tmp_path)

    def row(name, box, label):
        if isinstance(box, str):
            return Skipped(name, box, label)
        path = base / 'Image/original' / name
        photo = path.relative_to(tmp_path).as_posix()
        return Example(name, photo, path, Box(*box), label, name.partition('_')[0])

    assert dataset.class_names == EXPRESSIONS
    assert dataset.sources == (base / 'EmoLabel' / list_name,)
    assert dataset.test_photos is None
    expected = [row(line.split()[0], *outcome) for line, outcome in LINES.items() if line]
    assert list(dataset.rows) == expected


def test_aligned_pictures_have_no_box_and_need_no_box_file(tmp_path):
    make(tmp_path)
    shutil.rmtree(tmp_path / 'Annotation')

    rows = list(read('rafdb', tmp_path, aligned=True).rows)

    photo = 'Image/aligned/train_00001_aligned.jpg'
    assert rows[0] == Example('train_00001.jpg', photo, tmp_path / photo, None, 4, 'train')
    assert rows.pop(3) == Skipped('train_00003.jpg', 'missing picture', 'train_00003_aligned.jpg')
    assert [row.label for row in rows] == [4, 0, 6, 2, 3, 5, 1]  # all seven


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('train_00009.jpg 9', r'line 2: expected .* ID of 1\.\.7, found .train_00009\.jpg 9'),
        ('train_00009.jpg 0', r'line 2: expected'),
        ('train_00009.jpg', r'line 2: expected'),
        ('valid_00009.jpg 1', r'line 2: expected'),
        ('test_0001.jpg 1', r'line 2: test_0001\.jpg is listed twice'),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    make(tmp_path, ['test_0001.jpg 1', line, 'train_00001.jpg 1'])
    with pytest.raises(InputError, match=rf'list_patition_label\.txt, {message}'):
        read('rafdb', tmp_path)


@pytest.mark.parametrize('text', ['', '1 2 3', '1 2 3 4 5', 'a b c d'])
def test_a_malformed_box_file_is_named(tmp_path, text):
    make(tmp_path)
    write(tmp_path / 'Annotation/boundingbox/train_00001_boundingbox.txt', text)
    with pytest.raises(InputError, match=r'train_00001_boundingbox\.txt: expected four numbers'):
        read('rafdb', tmp_path)


def test_folders_that_are_not_there_are_named(tmp_path):
    make(tmp_path)
    for folder in ('Annotation/boundingbox', 'Image/original'):
        shutil.rmtree(tmp_path / folder)
        with pytest.raises(InputError, match=f'expected the folder .*{folder}'):
            read('rafdb', tmp_path)
