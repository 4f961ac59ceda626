"""Prepared datasets that were damaged after they were written."""

import json
import os
import re
import shutil
import struct

import msgpack
import numpy as np
import pytest
from helpers.coloured_photos import CLASSES, make_rows

from cda_jax.data.manifest import Index, read_index, read_manifest, write_index
from cda_jax.data.pipeline import PartSource, Reading, train_batches
from cda_jax.data.records import Record, decode_record, encode_record, record_file
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.run import prepare

SHARD = 'train-00000.array_record'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A prepared dataset of 24 training examples in one shard."""
    folder = tmp_path_factory.mktemp('hostile')
    rows = make_rows(folder / 'photos', num_train=24)
    prepare(
        Dataset(CLASSES, (), iter(rows)), folder / 'toys', name='toys', reader='csv', face_size=16
    )
    return folder / 'toys'


@pytest.fixture
def toys(whole, tmp_path):
    """A copy to damage."""
    return shutil.copytree(whole, tmp_path / 'toys')


def open_train(folder):
    (site,) = open_sites(folder.parent, (folder.name,))
    return PartSource(open_part(site, 'train', 0.0), 0)


def read_all(folder):
    source = open_train(folder)
    return [source[number] for number in range(len(source))]


def flip(file, start, stop):
    data = bytearray(file.read_bytes())
    data[start:stop] = bytes(byte ^ 0xFF for byte in data[start:stop])
    file.write_bytes(data)


def change_manifest(folder, change):
    content = json.loads((folder / 'manifest.json').read_text())
    change(content)
    (folder / 'manifest.json').write_text(json.dumps(content))


def records_of(folder):
    """The encoded records of the shard, in order."""
    source = open_train(folder)._source
    return [source[place] for place in range(len(source))]


def rewrite(folder, records):
    """Puts other records into the shard and tells the manifest its new size."""
    with record_file(folder / SHARD) as write:
        for record in records:
            write(record)
    size = (folder / SHARD).stat().st_size

    def resize(content):
        content['splits']['train']['shards'][0]['num_bytes'] = size

    change_manifest(folder, resize)


def test_the_undamaged_dataset_is_read(toys):
    assert len(read_all(toys)) == 24


def test_a_cut_shard_is_named_before_it_is_opened(toys):
    os.truncate(toys / SHARD, (toys / SHARD).stat().st_size // 2)
    with pytest.raises(InputError, match=rf'{SHARD}: expected \d+ bytes, as the manifest says'):
        open_train(toys)


def test_a_flipped_footer_is_named(toys):
    size = (toys / SHARD).stat().st_size
    flip(toys / SHARD, size - 65536, size - 65536 + 40)
    with pytest.raises(InputError, match=f'{SHARD}: damaged or not a shard: Corrupted'):
        open_train(toys)


def test_a_file_of_another_format_is_named(toys):
    (toys / SHARD).write_bytes(bytes((toys / SHARD).stat().st_size))
    with pytest.raises(InputError, match=f'{SHARD}: damaged or not a shard'):
        open_train(toys)


@pytest.mark.parametrize('start', [64, 90, 1000, 3000])
def test_flipped_bits_in_a_header_or_in_data_name_the_record(toys, start):
    flip(toys / SHARD, start, start + 1)
    with pytest.raises(ValueError, match=r'toys: record \d+ cannot be read: .+'):
        read_all(toys)


def test_a_shard_of_fewer_records_than_the_manifest_says_is_named(toys):
    rewrite(toys, records_of(toys)[:-1])
    with pytest.raises(InputError, match=f'{SHARD}: expected 24 records, .* found 23'):
        open_train(toys)


def test_shards_in_another_order_than_the_index_are_noticed(toys):
    first, second, *rest = records_of(toys)
    rewrite(toys, [second, first, *rest])
    with pytest.raises(ValueError, match=r'toys: record 0 \(001\.png\) has another label or photo'):
        read_all(toys)


def test_an_index_of_other_photos_with_the_same_classes_is_noticed(toys):
    index = read_index(toys, 'train')
    write_index(toys, 'train', Index(index.label, index.photo_hash[::-1]), scratch=toys)
    with pytest.raises(ValueError, match=r'toys: record 0 \(000\.png\) has another label or photo'):
        read_all(toys)


def test_a_missing_shard_is_named(toys):
    (toys / SHARD).unlink()
    with pytest.raises(InputError, match=f'{SHARD}: no such file, but the manifest lists it'):
        open_train(toys)


def test_an_index_that_unpacks_to_more_than_its_records_is_refused(toys):
    arrays = dict(np.load(toys / 'train-index.npz')) | {'label': np.zeros(10**7, np.int32)}
    np.savez_compressed(toys / 'train-index.npz', **arrays)
    assert (toys / 'train-index.npz').stat().st_size < 10**5
    with pytest.raises(InputError, match=r'label: an array of 40,000,000 bytes; at most 576 are'):
        open_train(toys)


def test_a_label_out_of_range_in_a_record_is_named(toys):
    first, *rest = records_of(toys)
    fields = msgpack.unpackb(first) | {'label': 2**40}
    rewrite(toys, [msgpack.packb(fields), *rest])
    with pytest.raises(ValueError, match=r'toys: record 0 .* has label 1099511627776, expected 0'):
        read_all(toys)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'face_size': 0}, 'face_size, image_size: expected 1 <= face_size <= image_size'),
        ({'image_size': -18}, 'face_size, image_size: .* found 16 and -18'),
        ({'image_size': 10**9}, 'face_size, image_size: .* found 16 and 1000000000'),
    ],
)
def test_impossible_sizes_in_a_manifest_are_named(toys, fields, message):
    change_manifest(toys, lambda content: content.update(fields))
    with pytest.raises(InputError, match=rf'manifest\.json: {message}'):
        read_manifest(toys)


def test_negative_counts_and_a_shard_named_twice_are_refused(toys):
    def negate(content):
        content['splits']['train']['class_counts'] = [25, -1, 0]

    change_manifest(toys, negate)
    with pytest.raises(InputError, match=r'splits\.train: expected no negative numbers'):
        read_manifest(toys)

    def repeat(content):
        split = content['splits']['train']
        split['class_counts'] = [8, 8, 8]
        split['shards'] = [split['shards'][0] | {'num_examples': 12}] * 2

    change_manifest(toys, repeat)
    with pytest.raises(InputError, match='splits: expected 3 different shards, found 2'):
        read_manifest(toys)


def test_another_version_is_said_before_its_other_fields(toys):
    change_manifest(toys, lambda content: content.update(version=2, colour_space='Lab'))
    with pytest.raises(InputError, match=r'manifest\.json: version: expected 1, found 2'):
        read_manifest(toys)


@pytest.mark.parametrize('names', [[], ['red', 'red', 'blue']])
def test_class_names_must_differ(toys, names):
    change_manifest(toys, lambda content: content.update(class_names=names))
    with pytest.raises(InputError, match=r'manifest\.json: class_names: expected different names'):
        read_manifest(toys)


@pytest.mark.parametrize('name', ['a\nb', 'x' * 1000, 'a\0b', '..', ''])
def test_odd_names_of_shards_are_refused(toys, name):
    def rename(content):
        content['splits']['train']['shards'][0]['file'] = name

    change_manifest(toys, rename)
    with pytest.raises(InputError, match=r'expected a plain file name|no such file') as caught:
        read_manifest(toys)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('text', ['[' * 900 + ']' * 900, '{"x' + 'x' * 10**6 + '": 1}', 'NaN', '-'])
def test_odd_json_is_refused_in_few_words(toys, text):
    (toys / 'manifest.json').write_text(text)
    with pytest.raises(InputError, match=r'manifest\.json: ') as caught:
        read_manifest(toys)
    assert len(str(caught.value)) < 400


def test_a_manifest_without_end_is_not_read(toys):
    os.truncate(toys / 'manifest.json', 2**40)
    with pytest.raises(InputError, match=r'expected JSON: more than 268,435,456 bytes'):
        read_manifest(toys)


def test_json_nested_without_end_is_refused(toys):
    (toys / 'manifest.json').write_text('[' * 200_000)
    with pytest.raises(InputError, match=r'manifest\.json: expected JSON'):
        read_manifest(toys)


@pytest.mark.parametrize('split', ['train', 'test'])
def test_a_site_with_an_empty_split_is_named(toys, split):
    def empty(content):
        gone = content['splits'][split]['num_examples']
        content['splits'][split] = {'num_examples': 0, 'class_counts': [0, 0, 0], 'shards': []}
        content['rows']['written'] -= gone
        content['rows']['read'] -= gone

    change_manifest(toys, empty)
    write_index(toys, split, Index(np.zeros(0, np.int32), np.zeros(0, np.uint64)), scratch=toys)
    (site,) = open_sites(toys.parent, ('toys',))
    with pytest.raises(InputError, match=f'toys: no records in the {split} split'):
        open_part(site, split, 0.0)


def test_a_site_without_one_of_the_classes_is_read(toys):
    rows = make_rows(toys.parent / 'photos', num_train=12, num_test=3)
    dataset = Dataset(CLASSES, (), iter(row for row in rows if row.label != 1))
    prepare(dataset, toys.parent / 'two', name='two', reader='csv', face_size=16)
    sites = open_sites(toys.parent, ('toys', 'two'))
    assert open_part(sites[1], 'train', 0.0).class_counts.tolist() == [4, 0, 4]
    assert {int(row['label']) for row in read_all(toys.parent / 'two')} == {0, 2}


def crafted(**fields):
    image = np.full((24, 24, 3), 7, np.uint8)
    data = encode_record(Record(image, 1, 'a', 2, bytes(16)))
    return msgpack.packb(msgpack.unpackb(data) | fields)


def jpeg_of(height, width):
    data = msgpack.unpackb(crafted())['image']
    start = data.index(b'\xff\xc0') + 5
    return data[:start] + struct.pack('>HH', height, width) + data[start + 4 :]


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (crafted(image=jpeg_of(65_000, 65_000)), r'expected \(24, 24, 3\) pixels, found \(65000'),
        (crafted(image=jpeg_of(24, 24)[:-2]), 'not a readable JPEG'),
        (crafted(image=b'\x89PNG\r\n\x1a\n' + bytes(99)), 'not a readable JPEG'),
        (crafted(id=msgpack.ExtType(5, b'os.system')), 'not a record: 10 exceeds max_ext_len'),
        (crafted(photo_hash=-1), 'photo_hash, pixel_hash: expected .* found -1 and 16 bytes'),
        (crafted(pixel_hash=bytes(9)), 'photo_hash, pixel_hash: expected .* found 2 and 9 bytes'),
        (crafted(label=True), 'record field label: expected int, found bool'),
        (crafted(label=1.0), 'record field label: expected int, found float'),
        (
            b'\xdd\x00\x00\x90\x00' * 500 + bytes(36_000),
            'not a record: 36864 exceeds max_array_len',
        ),
        (b'\x91' * 100_000, 'not a record'),
    ],
)
def test_a_record_made_to_do_harm_is_refused_without_memory_for_it(data, message):
    with pytest.raises(ValueError, match=message):
        decode_record(data, image_size=24, encoding='jpeg')


@pytest.mark.parametrize('num_workers', [0, 1])
def test_a_damaged_record_stops_training_with_one_line(toys, num_workers):
    flip(toys / SHARD, 1000, 1001)
    batches = train_batches(
        [open_train(toys)], [1.0], Reading(8, num_workers), seed=0, first_step=0, total_steps=6
    )
    with pytest.raises(InputError, match=r'toys: record \d+ cannot be read: .*hash') as caught:
        list(batches)
    assert '\n' not in str(caught.value)


def test_a_damaged_record_ends_the_program_with_one_line(data_dir, run_main, tmp_path):
    shutil.copytree(data_dir, tmp_path / 'data')
    shard = tmp_path / 'data' / 'expw' / SHARD
    middle = shard.stat().st_size // 4
    flip(shard, middle, middle + 1)
    code, _, err = run_main(tmp_path / 'run', data_dir=tmp_path / 'data')
    assert code == 1
    assert re.fullmatch(r'error: .*/expw: record \d+ cannot be read: .*hash.*\n', err)
    assert not (tmp_path / 'run' / 'results.json').exists()
