import os
import re

import pytest
from helpers.files import write

from cda_jax.errors import InputError
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.row_checks import UnusableRowError, picture_check


@pytest.mark.parametrize('dataset', ['raf-db', '', 'tfds', 'RAFDB'])
def test_an_unknown_dataset_lists_the_known_ones(tmp_path, dataset):
    message = (
        f'unknown dataset {dataset!r}; expected one of '
        'rafdb, expw, affectnet, fer2013, muxspace, folders, csv, sites, tfds:NAME'
    )
    with pytest.raises(InputError, match=f'^{re.escape(message)}$'):
        read(dataset, tmp_path)


@pytest.mark.parametrize(
    ('dataset', 'message'),
    [
        ('rafdb', 'not a folder of RAF-DB; expected EmoLabel/list_patition_label.txt in it'),
        ('expw', 'not a folder of ExpW; expected label/label.lst and image/origin/ in it, or lab'),
        ('affectnet', 'not a folder of AffectNet; expected training.csv, validation.csv and Manu'),
        ('muxspace', 'not a folder of muxspace/facial_expressions; expected images/ and data/l'),
        ('fer2013', 'not a folder of FER2013; expected fer2013.csv or icml_face_data.csv in it'),
        ('folders', 'no folder for the train split; expected train/CLASS/ and test/CLASS/'),
        ('csv', 'expected a CSV file, or a folder with manifest.csv in it'),
        ('sites', 'expected a folder with class folders for each site'),
    ],
)
def test_another_root_or_none_is_named_with_the_layout(tmp_path, dataset, message):
    (tmp_path / 'other').mkdir()
    with pytest.raises(InputError, match=f'^{re.escape(f"{tmp_path}: {message}")}.*; found other/'):
        read(dataset, tmp_path)
    for root in (tmp_path / 'none', tmp_path / ('x' * 300)):
        with pytest.raises(InputError, match=f'^{re.escape(f"{root}: no such file or folder")}'):
            read(dataset, root)


def test_a_root_that_is_a_file_is_not_said_to_hold_nothing(tmp_path):
    with pytest.raises(InputError, match=r'not a folder of ExpW; .*, or label.* and origin/$'):
        read('expw', write(tmp_path / 'list'))


@pytest.mark.parametrize(
    ('dataset', 'option', 'who'),
    [
        ('expw', 'aligned', 'only rafdb does'),
        ('tfds:mnist', 'test_photos', 'only expw does'),
        ('affectnet', 'min_confidense', 'no dataset does'),
    ],
)
def test_an_option_that_is_not_taken_says_who_takes_it(tmp_path, dataset, option, who):
    message = f'dataset {dataset!r} takes no option {option!r}; {who}'
    with pytest.raises(InputError, match=f'^{re.escape(message)}$'):
        read(dataset, tmp_path, **{option: 1})


def test_a_folder_is_scanned_once_and_named_where_it_cannot_be(tmp_path, monkeypatch):
    write(tmp_path / 'sub/a.jpg')
    check = picture_check(tmp_path, tmp_path)
    check('sub/a.jpg')
    (tmp_path / 'sub/b.jpg').touch()
    with pytest.raises(UnusableRowError, match='missing picture'):
        check('sub/b.jpg')

    def refuse(folder):
        raise PermissionError(13, 'Permission denied', folder)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(InputError, match=rf'^{tmp_path}/x: cannot be listed \(Permission denied\)'):
        check('x/a.jpg')  # the scan alone says whether there is such a folder


def test_lists_and_lines_without_end_are_not_read_into_memory(tmp_path):
    path = write(tmp_path / 'list.csv', 'path,label,split\n' + 'a,' * 2**19 + 'a\n')
    with pytest.raises(InputError, match=r'list\.csv, line 2: expected at most 1,048,576 char'):
        read('csv', path)
    path = write(tmp_path / 'label.lst', 'x' * (2**25 + 1))
    (tmp_path / 'origin').mkdir()
    with pytest.raises(InputError, match=r'label\.lst: expected at most 33,554,432 characters'):
        read('expw', tmp_path)
