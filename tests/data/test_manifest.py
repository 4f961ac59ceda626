import os
import re
import shutil

import numpy as np
import pytest
from helpers.coloured_photos import make_rows, prepare_toys
from helpers.files import change_manifest

from cda_jax.data.manifest import read_index, read_manifest
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Skipped

SECOND = 'train-00001.array_record'


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    """A small dataset: 3 training examples and a test example, 3 rows excluded and one skipped."""
    folder = tmp_path_factory.mktemp('manifest')
    labels = 0, 1, 1, 0
    rows = make_rows(folder / 'photos', num_train=3, num_test=1)
    rows = [row._replace(label=label) for row, label in zip(rows, labels, strict=True)]
    rows += [Skipped(f'contempt {number}', 'class not used', fault=False) for number in range(3)]
    rows.append(Skipped('d.jpg', 'missing picture', 'd.jpg'))
    prepare_toys(folder / 'toys', rows, face_size=48, shard_size=2, max_skipped_share=0.5)
    return folder / 'toys'


@pytest.fixture
def folder(prepared, tmp_path):
    """A copy to damage."""
    return shutil.copytree(prepared, tmp_path / 'toys')


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        (['format'], 'other', "Invalid enum value 'other' - at `$.format`"),
        (['face_size'], '48', 'Expected `int`, got `str` - at `$.face_size`'),
        (['face_size'], 0, 'face_size, image_size: expected 1 <= face_size <= image_size <= 4096'),
        (['image_size'], 10**9, 'found 48 and 1000000000'),
        (['class_names'], ['red', 'red', 'blue'], 'class_names: expected different names'),
        (['splits'], {}, 'splits: expected train and test, found none'),
        (['shard_size'], None, 'missing required field `shard_size`'),
        (['surprise'], 1, 'Object contains unknown field `surprise`'),
        (['x' * 10**6], 1, 'Object contains unknown field `xxx'),
        (['a\nb'], 1, 'Object contains unknown field `a b`'),
        (['splits', 'train', 'shards', 1], 5, 'Expected `object`, got `int` - at `$.splits[...]'),
        (['splits', 'train', 'class_counts'], [1, 2], 'class_counts: expected 3 long, found 2'),
        (['splits', 'train', 'class_counts'], [1, 1, 0], 'class_counts: expected 3 in all'),
        (['splits', 'train', 'shards', 0, 'num_examples'], 1, 'shards: expected 3 examples'),
        (['splits', 'train', 'shards', 0, 'file'], SECOND, '3 different shards'),
        (['rows', 'read'], 9, 'rows.read: expected 8 in all, found 9'),
        (['excluded'], {}, 'excluded: expected 3 in all, found 0'),
        (['skipped_rows'], [], 'skipped_rows: expected 1 rows, found 0'),
        *(
            (['splits', 'test', 'shards', 0, 'file'], name, 'expected a plain file name')
            for name in ('../x', 'a\nb', 'x' * 1000, 'a\0b')
        ),
    ],
)
def test_wrong_field_is_named(folder, path, value, message):
    change_manifest(folder, *path, to=value)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_manifest(folder)
    assert str(folder / 'manifest.json') in str(caught.value)
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_another_version_is_said_before_its_other_fields(folder):
    change_manifest(folder, 'colour_space', to='Lab')
    change_manifest(folder, 'version', to=1)
    with pytest.raises(InputError, match=r'version: expected 2, found 1; delete .* it again'):
        read_manifest(folder)


@pytest.mark.parametrize('text', ['{"format": ', '[' * 200_000, '[]', 'NaN', '-', '', '\ufeff{}'])
def test_damaged_json_is_named_in_few_words(folder, text):
    (folder / 'manifest.json').write_text(text)
    with pytest.raises(InputError, match=r'manifest\.json: .{1,400}$'):
        read_manifest(folder)


def test_no_manifest_and_one_without_end_are_not_read(folder):
    with pytest.raises(InputError, match=r'no such file; expected a folder that tools/prepare\.py'):
        read_manifest(folder / 'nowhere')
    os.truncate(folder / 'manifest.json', 2**40)
    with pytest.raises(InputError, match=r'manifest\.json: expected at most 268,435,456 bytes'):
        read_manifest(folder)


def test_missing_and_damaged_files_are_named(folder):
    file = folder / 'test-index.npz'
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(InputError, match=r'test-index\.npz: expected a file of NumPy arrays'):
        read_index(folder, 'test')
    file.unlink()
    with pytest.raises(InputError, match=r'test-index\.npz: cannot be read \(No such file'):
        read_index(folder, 'test')
    (folder / SECOND).write_bytes(b'short')
    message = rf'{SECOND}: expected \d+ bytes, as the manifest says, found 5'
    with pytest.raises(InputError, match=message):
        read_manifest(folder)
    (folder / SECOND).unlink()
    with pytest.raises(InputError, match=f'{SECOND}: no such file'):
        read_manifest(folder)


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ({'label': None}, r'label: expected int32\[3\], found nothing'),
        ({'label': np.zeros(3, np.int64)}, r'label: expected int32\[3\], found int64\[3\]'),
        *(
            ({'label': np.array([0, 1, number], np.int32)}, '.* numbers of each class')
            for number in (-1, 2, 3)
        ),
        ({'votes': np.ones((3, 2), np.float32)}, r'votes: expected float32\[3, 3\], found .*3, 2'),
        *(
            ({'votes': np.float32(votes)}, 'votes: expected numbers from 0, most of them for the l')
            for votes in (np.eye(3), -np.eye(3), 0 * np.eye(3), np.full((3, 3), np.inf))
        ),
        ({'photo_hash': None}, r'photo_hash: expected uint64\[3\], found nothing'),
        ({'label': np.array([0, None, 1], object)}, 'expected a file of NumPy arrays'),
        ({'label': np.zeros(10**7, np.int32)}, 'expected at most 4,288 bytes of arrays, found 39'),
    ],
)
def test_index_with_other_arrays_is_refused(folder, arrays, message):
    arrays = {
        k: v for k, v in (read_index(folder, 'train')._asdict() | arrays).items() if v is not None
    }
    np.savez_compressed(folder / 'train-index.npz', **arrays)
    with pytest.raises(InputError, match=rf'train-index\.npz: {message}'):
        read_index(folder, 'train')
