import collections

import msgspec
import numpy as np
import pytest

from cda_jax.data.manifest import read_index
from cda_jax.data.pipeline import (
    PartSource,
    Reading,
    eval_batches,
    padded_length,
    train_batches,
)
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError

NAMES = ('rafdb', 'expw', 'affectnet')


@pytest.fixture(scope='module')
def parts(data_dir):
    return [open_part(site, 'train', 0.0) for site in open_sites(data_dir, NAMES)]


def stream(parts, *, batch_size=20, seed=1, first_step=0, total_steps=30, shares=None, **reading):
    sources = [PartSource(part, index) for index, part in enumerate(parts)]
    shares = shares or [float(len(part.records)) for part in parts]
    batches = train_batches(
        sources,
        shares,
        Reading(batch_size, **({'num_workers': 0} | reading)),
        seed=seed,
        first_step=first_step,
        total_steps=total_steps,
    )
    return [{name: np.array(x) for name, x in batch.items()} for batch in batches]


def assert_same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def keys(batches):
    return [
        (int(site), image.tobytes())
        for batch in batches
        for site, image in zip(batch['site'], batch['image'], strict=True)
    ]


def test_a_batch(parts):
    batch = stream(parts, total_steps=1)[0]
    assert {name: (x.dtype, x.shape) for name, x in batch.items()} == {
        'image': (np.uint8, (20, 36, 36, 3)),
        'label': (np.int32, (20,)),
        'site': (np.int32, (20,)),
        'mask': (np.bool_, (20,)),
    }
    assert batch['mask'].all()


def test_an_epoch_shows_every_example_once_and_the_next_in_another_order(parts):
    batches = stream(parts, total_steps=60)  # 160 + 200 + 240 examples in batches of 20
    first, second = (keys(half) for half in (batches[:30], batches[30:]))
    assert len(set(first)) == 600
    assert set(first) == set(second)
    assert first != second


def test_every_batch_is_mixed_by_size(parts):
    for batch in stream(parts, batch_size=30, total_steps=20):
        assert np.abs(np.bincount(batch['site']) - [8, 10, 12]).max() <= 1


def test_shares_may_differ_from_the_sizes(parts):
    batches = stream(parts, shares=[2.0, 1.0, 1.0], total_steps=10)
    counts = collections.Counter(int(site) for batch in batches for site in batch['site'])
    assert counts == {0: 100, 1: 50, 2: 50}


def test_workers_do_not_change_the_batches(parts):
    expected = stream(parts, total_steps=6)
    assert_same(stream(parts, total_steps=6, num_workers=2), expected)
    with pytest.raises(AssertionError):
        assert_same(stream(parts, total_steps=6, seed=2), expected)


def test_a_restored_stream_goes_on_at_its_step(parts):
    expected = stream(parts, total_steps=45)
    assert_same(stream(parts, total_steps=45, first_step=33), expected[33:])
    assert_same(stream(parts, total_steps=45, first_step=41, num_workers=1), expected[41:])
    assert stream(parts, total_steps=45, first_step=45) == []


def test_the_shares_of_two_processes_make_up_the_batch(parts):
    whole = stream(parts, total_steps=4)
    halves = [stream(parts, total_steps=4, process_index=p, process_count=2) for p in range(2)]
    for batch, first, second in zip(whole, *halves, strict=True):
        for name in batch:
            np.testing.assert_array_equal(batch[name], np.concatenate([first[name], second[name]]))


@pytest.mark.parametrize('processes', [1, 2])
def test_evaluation_sees_every_example_once(parts, processes):
    part = parts[0]
    length = padded_length(len(part.records), 32)
    assert length == 160
    length = padded_length(len(part.records), 48)
    assert length == 192
    source = PartSource(part, 5, padded_length=length)
    batches = [
        batch
        for p in range(processes)
        for batch in eval_batches(source, Reading(48, 0, p, processes))
    ]
    assert sum(len(batch['mask']) for batch in batches) == 192
    seen = [
        label
        for batch in batches
        for label, counts in zip(batch['label'], batch['mask'], strict=True)
        if counts
    ]
    np.testing.assert_array_equal(np.bincount(seen, minlength=7), part.class_counts)


def test_labels_can_be_replaced(parts):
    source = PartSource(parts[1], site_index=1, label=4)
    assert source[0]['label'] == 4
    assert source[0]['site'] == 1


def test_validation_is_held_out_by_photo(data_dir):
    (site,) = open_sites(data_dir, ('expw',))
    kept, held_out = (open_part(site, split, 0.3) for split in ('train', 'validation'))
    assert sorted([*kept.records, *held_out.records]) == list(range(200))
    assert 0.15 < len(held_out.records) / 200 < 0.45
    photos = read_index(site.folder, 'train').photo_hash
    assert not set(photos[kept.records]) & set(photos[held_out.records])
    assert len(set(photos)) < 200  # so that some photo has several faces
    assert kept.class_counts.sum() == len(kept.records)
    np.testing.assert_array_equal(open_part(site, 'validation', 0.3).records, held_out.records)


def test_nothing_to_hold_out(data_dir):
    (site,) = open_sites(data_dir, ('rafdb',))
    with pytest.raises(InputError, match='no records in the validation split'):
        open_part(site, 'validation', 1e-9)


def test_a_damaged_record_is_named(parts, tmp_path):
    part = parts[0]
    shard = part.files[0]
    damaged = tmp_path / shard.name
    data = bytearray(shard.read_bytes())
    data[20_000] ^= 0xFF
    damaged.write_bytes(data)
    source = PartSource(part._replace(files=(damaged,)), 0)
    with pytest.raises(ValueError, match=r'rafdb: record \d+ cannot be read'):
        [source[index] for index in range(len(source))]


def test_a_label_out_of_range_is_named(parts):
    manifest = parts[0].site.manifest
    narrow = parts[0].site._replace(
        manifest=msgspec.structs.replace(manifest, class_names=('Surprise',))
    )
    source = PartSource(parts[0]._replace(site=narrow), 0)
    with pytest.raises(ValueError, match=r'has label \d, expected 0 to 0'):
        [source[index] for index in range(len(source))]
