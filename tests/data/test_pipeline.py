import collections
import re
import threading
import time

import numpy as np
import pytest
from helpers.runs import assert_same_bits

from cda_jax.data import examples as examples_module
from cda_jax.data.examples import PADDING, Examples, decoded_bytes, is_kept, usable_memory
from cda_jax.data.manifest import read_index
from cda_jax.data.pipeline import Reading, eval_batches, train_batches, watched
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError

NAMES = ('rafdb', 'expw', 'affectnet')


@pytest.fixture(scope='module')
def parts(data_dir):
    return [open_part(site, 'train', 0.0) for site in open_sites(data_dir, NAMES)]


def stream(
    parts,
    *,
    seed=1,
    first_step=0,
    total_steps=30,
    shares=None,
    keep=False,
    class_balance=0.0,
    **reading,
):
    examples = parts
    if not isinstance(parts, Examples):
        examples = Examples(parts, range(len(parts)), keep=keep)
    batches = train_batches(
        examples,
        shares or examples.sizes,
        Reading(**({'batch_size': 20} | reading)),
        seed=seed,
        first_step=first_step,
        total_steps=total_steps,
        class_balance=class_balance,
    )
    return list(batches)


def keys(batches):
    return [
        (int(site), image.tobytes())
        for batch in batches
        for site, image in zip(batch['site'], batch['image'], strict=True)
    ]


def test_an_epoch_shows_every_example_once_and_the_next_in_another_order(parts):
    batches = stream(parts, total_steps=60)  # 160 + 200 + 240 examples in batches of 20
    first, second = (keys(half) for half in (batches[:30], batches[30:]))
    assert len(set(first)) == 600
    assert set(first) == set(second)
    assert first != second


def test_shares_may_differ_from_the_sizes(parts):
    batches = stream(parts, shares=[2.0, 1.0, 1.0], total_steps=10)
    counts = collections.Counter(int(site) for batch in batches for site in batch['site'])
    assert counts == {0: 100, 1: 50, 2: 50}


def test_classes_are_drawn_as_often_by_any_number_of_threads_and_processes(parts):
    options = {'class_balance': 1.0, 'total_steps': 21}
    whole = stream(parts, **options, num_threads=1)
    for k, part in enumerate(parts):
        labels = np.concatenate([batch['label'][batch['site'] == k] for batch in whole])
        there = part.class_counts > 0
        counts = np.bincount(labels, minlength=len(there))
        assert np.ptp(counts[there]) <= 1 < np.ptp(part.class_counts[there])
        assert not counts[~there].any()
    assert_same_bits(stream(parts, **options, num_threads=4, first_step=9), whole[9:])
    halves = [stream(parts, **options, process_index=p, process_count=2) for p in range(2)]
    for batch, *shares in zip(whole, *halves, strict=True):
        for name in batch:
            np.testing.assert_array_equal(batch[name], np.concatenate([s[name] for s in shares]))


def test_threads_do_not_change_the_batches_and_seeds_do(parts):
    expected = stream(parts, total_steps=12, num_threads=1)
    for num_threads in (0, 2, 7):
        assert_same_bits(stream(parts, total_steps=12, num_threads=num_threads), expected)
    assert keys(stream(parts, total_steps=12, seed=2)) != keys(expected)


def test_pixels_kept_in_memory_are_those_on_disk_and_are_read_once(parts, monkeypatch):
    expected = stream(parts, total_steps=60)
    examples = Examples(parts, range(3), keep=True)
    assert_same_bits(stream(examples, total_steps=60, num_threads=3), expected)

    def no_disk(*arguments, **options):
        raise AssertionError('read again')

    monkeypatch.setattr(examples_module, 'decode_record', no_disk)
    assert_same_bits(stream(examples, total_steps=60, num_threads=3), expected)
    assert_same_bits(stream(examples, total_steps=60, first_step=47), expected[47:])


def test_a_restored_stream_goes_on_at_its_step(parts):
    expected = stream(parts, total_steps=45)
    assert_same_bits(stream(parts, total_steps=45, first_step=33), expected[33:])
    assert_same_bits(stream(parts, total_steps=45, first_step=41, num_threads=3), expected[41:])
    assert stream(parts, total_steps=45, first_step=45) == []


@pytest.mark.parametrize('processes', [2, 5])
def test_the_rows_of_all_processes_make_up_the_batch(parts, processes):
    whole = stream(parts, total_steps=4)
    shares = [
        stream(parts, total_steps=4, process_index=p, process_count=processes)
        for p in range(processes)
    ]
    for batch, *of_processes in zip(whole, *shares, strict=True):
        for name in batch:
            joined = np.concatenate([share[name] for share in of_processes])
            np.testing.assert_array_equal(batch[name], joined)


@pytest.mark.parametrize('processes', [1, 2])
def test_evaluation_sees_every_example_once(parts, processes):
    examples = Examples([parts[0]], [5])
    of_processes = [
        list(eval_batches(examples, Reading(48, 2, p, processes))) for p in range(processes)
    ]
    batches = [
        {name: np.concatenate([share[name] for share in shares]) for name in shares[0]}
        for shares in zip(*of_processes, strict=True)
    ]
    assert [batch['mask'].sum() for batch in batches] == [48, 48, 48, 16]
    assert [len(batch['mask']) for batch in batches] == [48] * 4
    assert not batches[-1]['image'][16:].any()
    everything = examples.batch(np.arange(160))
    assert {name: (values.dtype, values.shape[1:]) for name, values in everything.items()} == {
        'image': (np.uint8, (36, 36, 3)),
        'label': (np.int32, ()),
        'site': (np.int32, ()),
        'mask': (np.bool_, ()),
    }
    for name, expected in everything.items():
        seen = np.concatenate([batch[name] for batch in batches])[:160]
        np.testing.assert_array_equal(seen, expected)
    assert set(everything['site'].tolist()) == {5}
    np.testing.assert_array_equal(np.bincount(everything['label']), parts[0].class_counts)
    # What divides has no empty batch.
    assert [batch['mask'].sum() for batch in eval_batches(examples, Reading(32))] == [32] * 5


def test_the_site_can_be_the_label(parts):
    batch = Examples(parts[1:], [1, 2], label_is_site=True).batch(np.array([0, 199, 200, PADDING]))
    assert batch['label'].tolist() == batch['site'].tolist() == [1, 1, 2, 0]
    assert batch['mask'].tolist() == [True, True, True, False]


def await_end_of_threads(before):
    deadline = time.monotonic() + 30
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_closing_half_way_ends_the_threads(parts):
    before = set(threading.enumerate())
    options = {'seed': 0, 'first_step': 0, 'total_steps': 10**6}
    batches = train_batches(Examples(parts, range(3)), [1, 1, 1], Reading(20, 3), **options)
    next(batches)
    assert len(set(threading.enumerate()) - before) > 1
    batches.close()
    await_end_of_threads(before)


@pytest.mark.parametrize('processes', [1, 3])
def test_pixels_are_kept_where_they_fit_a_quarter_of_the_memory(parts, processes, monkeypatch):
    assert decoded_bytes(parts) == 600 * 36 * 36 * 3
    assert usable_memory() > 2**28
    needed = processes * 4 * decoded_bytes(parts)
    for memory, fits in ((needed, True), (needed - 1, False)):
        monkeypatch.setattr(examples_module, 'usable_memory', lambda memory=memory: memory)
        assert is_kept('auto', parts, processes) is fits
        assert is_kept('yes', parts, processes)
        assert not is_kept('no', parts, processes)


def test_pixels_that_do_not_fit_into_memory_are_named(parts, monkeypatch):
    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(examples_module.np, 'empty', full)
    with pytest.raises(InputError, match=r"0\.0 GiB.*expected keep_decoded to be 'no'"):
        Examples(parts, range(3), keep=True)


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


def test_a_stall_is_reported_while_it_lasts_and_outlived(capfd):
    def stalled():
        yield 'first'
        time.sleep(0.7)
        yield 'second'

    assert list(watched(stalled(), 'the disk', patience=0.2)) == ['first', 'second']
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) >= 2
    report = r'warning: no batch of data for \d+ s; still waiting for the disk'
    assert all(re.fullmatch(report, line) for line in lines)


def test_neither_data_that_come_in_time_nor_slow_steps_are_reported(capfd):
    def numbers():
        for number in range(20):
            time.sleep(0.02)
            yield number

    for number in watched(numbers(), 'the disk', patience=1.5):
        if number == 10:
            time.sleep(1.8)  # the step's time, not the disk's
    assert 'no batch of data' not in capfd.readouterr().err


@pytest.mark.parametrize('is_finished', [True, False])
def test_the_watch_ends_with_the_batches(is_finished):
    before = set(threading.enumerate())
    batches = watched(iter(range(3)), 'the disk')
    next(batches)
    assert len(set(threading.enumerate()) - before) == 1
    if is_finished:
        list(batches)
    else:
        batches.close()
    await_end_of_threads(before)
