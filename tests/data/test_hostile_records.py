"""Prepared datasets that were damaged after they were written."""

import re
import shutil

import grain
import numpy as np
import pytest
from helpers.checkpoints import flip, halve
from helpers.coloured_photos import make_rows, prepare_toys
from helpers.files import change_manifest
from helpers.programs import small_config
from msgspec import msgpack

from cda_jax.data.examples import Examples
from cda_jax.data.manifest import read_index, write_index
from cda_jax.data.pipeline import Reading, train_batches
from cda_jax.data.records import record_file
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.train import train

SHARD = 'train-00000.array_record'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A prepared dataset of 24 training examples in one shard."""
    folder = tmp_path_factory.mktemp('hostile')
    prepare_toys(folder / 'toys', make_rows(folder / 'photos', num_train=24))
    return folder / 'toys'


@pytest.fixture
def toys(whole, tmp_path):
    """A copy to damage."""
    return shutil.copytree(whole, tmp_path / 'toys')


def open_train(folder):
    (site,) = open_sites(folder.parent, (folder.name,))
    return Examples([open_part(site, 'train', 0.0)], [0])


def read_all(folder):
    examples = open_train(folder)
    return examples.batch(np.arange(len(examples)))


def records_of(folder):
    """The encoded records of the shard, in order."""
    source = grain.sources.ArrayRecordDataSource([str(folder / SHARD)])
    return [source[place] for place in range(len(source))]


def rewrite(folder, records):
    """Puts other records into the shard and tells the manifest its new size."""
    with record_file(folder / SHARD) as write:
        for record in records:
            write(record)
    size = (folder / SHARD).stat().st_size
    change_manifest(folder, 'splits', 'train', 'shards', 0, 'num_bytes', to=size)


def test_a_damaged_shard_is_named_when_it_is_opened(toys):
    shard = toys / SHARD
    content = shard.read_bytes()
    footer = len(content) - 65536
    for damage, message in (
        (lambda: halve(shard), r'expected \d+ bytes, as the manifest says'),
        (lambda: flip(shard, footer), 'damaged or not a shard: Corrupted'),
        (lambda: shard.write_bytes(bytes(len(content))), 'damaged or not a shard'),
        (lambda: rewrite(toys, records_of(toys)[:-1]), 'expected 24 records, .* found 23'),
    ):
        damage()
        with pytest.raises(InputError, match=f'{SHARD}: {message}'):
            open_train(toys)
        shard.write_bytes(content)


@pytest.mark.parametrize('start', [64, 90, 1000, 3000])
def test_flipped_bits_in_a_header_or_in_data_name_the_record_in_one_line(toys, start):
    flip(toys / SHARD, start)
    examples = open_train(toys)
    batches = train_batches(examples, [1.0], Reading(8), seed=0, first_step=0, total_steps=6)
    with pytest.raises(InputError, match=r'toys: record \d+ cannot be read: .+') as caught:
        list(batches)
    assert '\n' not in str(caught.value)


def exchange_records(toys):
    first, second, *rest = records_of(toys)
    rewrite(toys, [second, first, *rest])


def reverse_photos(toys):
    index = read_index(toys, 'train')
    write_index(toys, 'train', index._replace(photo_hash=index.photo_hash[::-1]))


def change_label(toys):
    first, *rest = records_of(toys)
    fields = msgpack.decode(first) | {'label': 2**40}
    rewrite(toys, [msgpack.encode(fields), *rest])


@pytest.mark.parametrize(
    ('change', 'name'), [(exchange_records, '001'), (reverse_photos, '000'), (change_label, '000')]
)
def test_a_record_that_is_not_as_the_index_says_is_named(toys, change, name):
    assert read_all(toys)['mask'].sum() == 24
    change(toys)
    message = rf'toys: record 0 \({name}\.png\) has another label, photo or picture'
    with pytest.raises(InputError, match=message):
        read_all(toys)


@pytest.mark.slow
def test_a_damaged_record_ends_a_training(data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / 'data')
    shard = tmp_path / 'data' / 'expw' / SHARD
    flip(shard, shard.stat().st_size // 4)
    with pytest.raises(InputError) as caught:
        train(small_config(tmp_path / 'data'), tmp_path / 'run')
    # Without the notes that Grain adds, as the program prints it.
    assert re.fullmatch(r'.*/expw: record \d+ cannot be read: .*hash.*', str(caught.value))
    assert not (tmp_path / 'run' / 'results.json').exists()
