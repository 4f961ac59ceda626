import dataclasses
import json
import re

import numpy as np
import pytest

from cda_jax.data.manifest import (
    Duplicates,
    Index,
    Manifest,
    RowCounts,
    Shard,
    SkippedRow,
    Source,
    SplitContent,
    read_index,
    read_manifest,
    write_index,
    write_manifest,
)
from cda_jax.errors import InputError

INDEXES = {
    'train': Index(np.array([0, 1, 1], np.int32), np.array([5, 2**64 - 1, 7], np.uint64)),
    'test': Index(np.array([0], np.int32), np.array([9], np.uint64)),
}


@pytest.fixture
def folder(tmp_path):
    """A small prepared dataset with the files its manifest names."""
    manifest = Manifest(
        name='Toys',
        reader='csv',
        reader_options={'min_confidence': 0.5, 'aligned': False},
        class_names=('ball', 'doll', 'kite'),
        face_size=48,
        image_size=54,
        encoding='jpeg',
        quality=95,
        shard_size=2,
        sources=(Source(file='labels.csv', sha256='ab' * 32),),
        rows_sha256='cd' * 32,
        splits={
            'train': SplitContent(
                num_examples=3,
                class_counts=(1, 2, 0),
                shards=(
                    Shard(file='train-00000.array_record', num_examples=2, num_bytes=20),
                    Shard(file='train-00001.array_record', num_examples=1, num_bytes=10),
                ),
            ),
            'test': SplitContent(
                num_examples=1,
                class_counts=(1, 0, 0),
                shards=(Shard(file='test-00000.array_record', num_examples=1, num_bytes=10),),
            ),
        },
        rows=RowCounts(read=8, written=4, excluded=3, skipped=1),
        excluded={'class not used': 3},
        skipped={'missing picture': 1},
        skipped_rows=(SkippedRow(id='d.jpg', reason='missing picture', detail='d.jpg'),),
        duplicates=Duplicates(test_in_train=1, pairs=(('a', 'c'),), within={'train': 1, 'test': 0}),
    )
    for split in manifest.splits.values():
        for shard in split.shards:
            (tmp_path / shard.file).write_bytes(b'x' * shard.num_bytes)
    write_manifest(tmp_path, manifest, scratch=tmp_path)
    for split, index in INDEXES.items():
        write_index(tmp_path, split, index, scratch=tmp_path)
    return tmp_path


def change(folder, *path, to):
    """Sets one value deep in the manifest."""
    file = folder / 'manifest.json'
    content = json.loads(file.read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    file.write_text(json.dumps(content))


def test_manifest_comes_back(folder):
    manifest = read_manifest(folder)
    assert manifest.splits['train'].class_counts == (1, 2, 0)
    assert manifest.reader_options == {'min_confidence': 0.5, 'aligned': False}
    assert manifest.duplicates.pairs == (('a', 'c'),)
    content = json.loads((folder / 'manifest.json').read_text())
    assert content['format'] == 'cda_jax prepared dataset'
    assert content['version'] == 1
    assert content == json.loads(json.dumps(dataclasses.asdict(manifest)))


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        (['format'], 'other', 'format: expected \'cda_jax prepared dataset\', found "other"'),
        (['version'], 2, 'version: expected 1, found 2'),
        (['encoding'], 'png', "encoding: expected 'jpeg' or 'raw', found"),
        (['face_size'], '48', 'face_size: expected int, found "48"'),
        (['face_size'], True, 'face_size: expected int, found true'),
        (['quality'], 'high', 'quality: expected int or NoneType, found "high"'),
        (['class_names'], 'ball', 'class_names: expected a list, found "ball"'),
        (['class_names', 1], 7, 'class_names[1]: expected str, found 7'),
        (['splits'], [], 'splits: expected an object, found []'),
        (['surprise'], 1, 'surprise is not known'),
        (['splits', 'train', 'shards', 1, 'num_bytes'], None, 'shards[1].num_bytes: expected int'),
        (['splits', 'train', 'shards', 1], 5, 'splits.train.shards[1]: expected an object'),
        (['duplicates', 'pairs', 0], ['a'], 'duplicates.pairs[0]: expected 2 items'),
        (['splits', 'train', 'class_counts'], [1, 2], 'class_counts: expected 3 long, found 2'),
        (['splits', 'train', 'class_counts'], [1, 1, 0], 'class_counts: expected 3 in all'),
        (['splits', 'train', 'shards', 0, 'num_examples'], 1, 'shards: expected 3 examples'),
        (['splits', 'test', 'shards', 0, 'file'], '../x', "'../x': expected a plain file name"),
        (['rows', 'read'], 9, 'rows.read: expected 8 in all, found 9'),
        (['rows', 'written'], 5, 'rows.read: expected 9 in all, found 8'),
        (['excluded'], {}, 'excluded: expected 3 in all, found 0'),
        (['skipped'], {'missing picture': 2}, 'skipped: expected 1 in all, found 2'),
        (['skipped_rows'], [], 'skipped_rows: expected 1 rows, found 0'),
    ],
)
def test_wrong_field_is_named(folder, path, value, message):
    change(folder, *path, to=value)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_manifest(folder)
    assert str(folder / 'manifest.json') in str(caught.value)


@pytest.mark.parametrize('name', ['validation', 'train'])
def test_other_splits_are_refused(folder, name):
    content = json.loads((folder / 'manifest.json').read_text())
    content['splits'] = {name: content['splits']['train']}
    (folder / 'manifest.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match=f'splits: expected train and test, found {name}'):
        read_manifest(folder)


def test_missing_field_is_named(folder):
    content = json.loads((folder / 'manifest.json').read_text())
    del content['image_size']
    (folder / 'manifest.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match='image_size is missing'):
        read_manifest(folder)


def test_folder_without_manifest_is_no_dataset(tmp_path):
    with pytest.raises(InputError, match=r'no such file; expected a folder that tools/prepare\.py'):
        read_manifest(tmp_path / 'nowhere')


def test_damaged_json_is_named(folder):
    file = folder / 'manifest.json'
    file.write_text(file.read_text()[:-20])
    with pytest.raises(InputError, match=r'manifest\.json: expected JSON'):
        read_manifest(folder)


def test_missing_shard_is_named(folder):
    (folder / 'train-00001.array_record').unlink()
    with pytest.raises(InputError, match=r'train-00001\.array_record: no such file'):
        read_manifest(folder)


def test_shard_of_another_size_is_named(folder):
    (folder / 'train-00001.array_record').write_bytes(b'short')
    message = 'train-00001.array_record: expected 10 bytes, as the manifest says, found 5'
    with pytest.raises(InputError, match=message):
        read_manifest(folder)


@pytest.mark.parametrize('split', ['train', 'test'])
def test_index_comes_back(folder, split):
    index = read_index(folder, split)
    assert index.label.dtype == np.int32
    assert index.photo_hash.dtype == np.uint64
    np.testing.assert_array_equal(index.label, INDEXES[split].label)
    np.testing.assert_array_equal(index.photo_hash, INDEXES[split].photo_hash)


@pytest.mark.parametrize(
    ('label', 'photo_hash', 'message'),
    [
        (np.zeros(3, np.int64), np.zeros(3, np.uint64), 'label: expected int32[3], found int64[3]'),
        (np.zeros(3, np.int32), np.zeros(2, np.uint64), 'expected uint64[3], found uint64[2]'),
        (np.array([0, 1, 2], np.int32), np.zeros(3, np.uint64), 'numbers of each class'),
        (np.array([0, 1, 3], np.int32), np.zeros(3, np.uint64), 'numbers of each class'),
        (np.array([0, 1, -1], np.int32), np.zeros(3, np.uint64), 'numbers of each class'),
    ],
)
def test_index_that_is_not_of_the_manifest_is_refused(folder, label, photo_hash, message):
    write_index(folder, 'train', Index(label, photo_hash), scratch=folder)
    with pytest.raises(InputError, match=re.escape(message)):
        read_index(folder, 'train')


@pytest.mark.parametrize('damage', ['cut', 'text', 'objects', 'array', 'other'])
def test_damaged_index_is_named(folder, damage):
    file = folder / 'train-index.npz'
    if damage == 'cut':
        file.write_bytes(file.read_bytes()[:-50])
    elif damage == 'text':
        file.write_text('label,photo_hash')
    elif damage == 'objects':
        labels = np.array([0, None, 1], object)
        np.savez(file, label=labels, photo_hash=INDEXES['train'].photo_hash)
    elif damage == 'array':
        with file.open('wb') as opened:
            np.save(opened, INDEXES['train'].label)
    else:
        np.savez(file, label=INDEXES['train'].label)
    with pytest.raises(InputError, match=r'train-index\.npz: expected an index'):
        read_index(folder, 'train')


def test_missing_index_is_named(folder):
    (folder / 'test-index.npz').unlink()
    with pytest.raises(InputError, match=r'test-index\.npz: no such file'):
        read_index(folder, 'test')
