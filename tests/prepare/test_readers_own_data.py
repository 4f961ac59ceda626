"""The readers for data of one's own: class folders and CSV manifests."""

import os
import sys

import pytest
from helpers.files import write

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Example, Skipped
from cda_jax.prepare.readers import read


def touch(root, *names):
    for name in names:
        write(root / name)


def whole(root, name, label, split):
    """The row of a whole picture."""
    return Example(name, name, root / name, None, label, split)


@pytest.mark.parametrize('test_folder', ['test', 'val', 'validation'])
def test_every_file_of_the_class_folders_is_a_row(tmp_path, test_folder):
    rows = [
        Skipped('train/stray.jpg', 'not in a class folder'),
        whole(tmp_path, 'train/cat/a.tif', 0, 'train'),
        whole(tmp_path, 'train/dog/a.webp', 1, 'train'),
        whole(tmp_path, 'train/dog/b.JPG', 1, 'train'),
        Skipped('train/dog/notes.txt', 'not a picture file'),
        whole(tmp_path, f'{test_folder}/dog/a.bmp', 1, 'test'),
        whole(tmp_path, f'{test_folder}/emu/a.jpeg', 2, 'test'),
        whole(tmp_path, f'{test_folder}/emu/b.Tiff', 2, 'test'),
        whole(tmp_path, f'{test_folder}/emu/c.png', 2, 'test'),
    ]
    touch(tmp_path, *(row.id for row in rows[::-1]))
    touch(tmp_path, 'readme.txt', *(f'train/{x}.jpg' for x in ('dog/.hidden', 'dog/.c/x', '.c/x')))
    dataset = read('folders', tmp_path)
    assert (dataset.class_names, dataset.sources) == (('cat', 'dog', 'emu'), ())
    assert list(dataset.rows) == rows


def test_training_pictures_in_no_class_folder_have_no_label(tmp_path):
    rows = [whole(tmp_path, f'train/{name}', -1, 'train') for name in ('a.jpg', 'b.png')]
    rows.append(Skipped('train/list.txt', 'not a picture file'))
    touch(tmp_path, *(row.id for row in rows))
    dataset = read('folders', tmp_path)
    assert (dataset.class_names, list(dataset.rows)) == ((), rows)
    rows.append(whole(tmp_path, 'test/dog/a.bmp', 0, 'test'))
    touch(tmp_path, 'test/dog/a.bmp')
    dataset = read('folders', tmp_path)
    assert (dataset.class_names, list(dataset.rows)) == (('dog',), rows)


def test_a_missing_split_folder_and_a_folder_in_a_class_folder_are_named(tmp_path):
    touch(tmp_path, 'train/dog/a.jpg', 'train/dog/young/a.jpg')
    with pytest.raises(InputError, match='no folder for the test split; expected train/CLASS/'):
        read('folders', tmp_path)
    touch(tmp_path, 'test/dog/a.jpg')
    with pytest.raises(InputError, match='train/dog/young: is a folder; expected pictures there'):
        read('folders', tmp_path)


@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere file names are always Unicode')
def test_a_file_name_that_is_no_text_is_named(tmp_path):
    touch(tmp_path, 'train/dog/a.jpg', 'test/dog/a.jpg')
    (tmp_path / 'train/dog' / os.fsdecode(b'caf\xe9.jpg')).touch()
    with pytest.raises(InputError, match=r'train/dog: expected names in UTF-8, found .caf\\udce9'):
        read('folders', tmp_path)


def write_manifest(folder, *lines, name='manifest.csv'):
    touch(folder, 'a.jpg', 'sub/b.png')
    return write(folder / name, '\n'.join(lines))


PLAIN = 'path,label,split'
WITH_BOX = f'{PLAIN},x0,y0,x1,y1'
# What becomes of a line of a CSV: picture, box, label and split, or reason and detail.
LINES = {
    'a.jpg,dog,train,1,2.5,30,40': ('a.jpg', Box(1, 2.5, 30, 40), 1, 'train'),
    './a.jpg,cat,train,,,,': ('a.jpg', None, 0, 'train'),
    '"sub/b.png",dog,test,-5,-6,7,8': ('sub/b.png', Box(-5, -6, 7, 8), 1, 'test'),
    'a.jpg,dog,train,1,2,,4': ('box missing or not finite', '1,2,,4'),
    'a.jpg,dog,train,1,2,inf,4': ('box missing or not finite', '1,2,inf,4'),
    'a.jpg,dog,train,NULL,NULL,NULL,NULL': ('box missing or not finite', 'NULL,NULL,NULL,NULL'),
    'a.jpg,dog,train,9,2,1,4': ('box without area', '9,2,1,4'),
    'none.jpg,emu,train,1,2,3,4': ('missing picture', 'none.jpg'),
    '../a.jpg,dog,test,1,2,3,4': ('path outside the root', '../a.jpg'),
    'a.jpg,dog,train,0,0,1e999,5': ('box missing or not finite', '0,0,1e999,5'),
    'a.jpg,dog,train,-1e300,0,1e300,9': ('a.jpg', Box(-1e300, 0, 1e300, 9), 1, 'train'),
    '': (),
    'nowhere/a.jpg,dog,test,1,2,3,4': ('missing picture', 'nowhere/a.jpg'),
}


@pytest.mark.parametrize('name', ['manifest.csv', 'my list.csv'])
def test_every_csv_row_is_a_row(tmp_path, name):
    path = write_manifest(tmp_path, WITH_BOX, *LINES, name=name)
    dataset = read('csv', tmp_path if name == 'manifest.csv' else path)

    def row(row_id, found, *outcome):
        if len(outcome) == 1:
            return Skipped(row_id, found, *outcome)
        return Example(row_id, found, tmp_path / found, *outcome)

    assert dataset.class_names == ('cat', 'dog', 'emu')
    assert dataset.sources == (path,)
    expected = enumerate(LINES.values(), start=2)
    assert list(dataset.rows) == [
        row(f'{name}:{i}', *outcome) for i, outcome in expected if outcome
    ]


def test_a_manifest_without_boxes_is_of_whole_pictures(tmp_path):
    write_manifest(tmp_path, PLAIN, 'a.jpg,x,train', 'sub/b.png,y,test')
    found = [(row.box, row.label, row.split) for row in read('csv', tmp_path).rows]
    assert found == [(None, 0, 'train'), (None, 1, 'test')]


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['a.jpg,dog,train'], 'line 1: expected a header with path, label, found .a.jpg'),
        ([], 'line 1: expected a header with path, label'),
        (['path,label,path,split'], 'line 1: expected a header with path, label'),
        (['path,label,split,x0', 'a.jpg,dog,train,1'], 'line 1: expected all of .* x0,y0,x1,y1 or'),
        ([WITH_BOX, 'a.jpg,dog,train'], 'line 2: expected the 7 fields path,.* found 3'),
        ([WITH_BOX, 'a.jpg,dog,dev,1,2,3,4'], "line 2: expected the split .* found 'dev'"),
        ([WITH_BOX, 'a.jpg,,test,1,2,3,4'], 'line 2: the label is empty'),
        ([WITH_BOX, ' ,dog,test,1,2,3,4'], 'line 2: the path is empty'),
        ([WITH_BOX, 'a.jpg,dog,test,1,2,3,four'], 'line 2: expected numbers for x0,y0,x1,y1'),
    ],
)
def test_a_malformed_manifest_is_named(tmp_path, lines, message):
    write_manifest(tmp_path, *lines)
    with pytest.raises(InputError, match=rf'manifest\.csv[,:] {message}'):
        read('csv', tmp_path)
