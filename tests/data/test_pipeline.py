import collections
import re
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.runs import assert_same_bits

from cda_jax.data import examples as examples_module
from cda_jax.data import pipeline
from cda_jax.data.examples import PADDING, Examples, decoded_bytes, is_kept, usable_memory
from cda_jax.data.manifest import read_index
from cda_jax.data.pipeline import Reading, eval_batches, train_batches
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError


@pytest.fixture(scope='module')
def parts(data_dir):
    sites = open_sites(data_dir, ('rafdb', 'expw', 'affectnet'))
    return [open_part(site, 'train', 0.0) for site in sites]


@pytest.fixture(scope='module')
def all_examples(parts):
    return Examples(parts, range(3))


def stream(
    examples, *, seed=1, first_step=0, total_steps=30, shares=None, class_balance=0.0, **reading
):
    shares = shares or examples.sizes
    steps = {'first_step': first_step, 'total_steps': total_steps}
    reading = Reading(**({'batch_size': 20} | reading))
    return list(
        train_batches(examples, shares, reading, seed=seed, class_balance=class_balance, **steps)
    )


def join(of_processes):
    """The whole batches from those of all processes."""
    return [
        {name: np.concatenate([share[name] for share in shares]) for name in shares[0]}
        for shares in zip(*of_processes, strict=True)
    ]


def keys(batches):
    return [
        (int(site), image.tobytes())
        for batch in batches
        for site, image in zip(batch['site'], batch['image'], strict=True)
    ]


def test_an_epoch_shows_every_example_once_and_the_next_in_another_order(all_examples):
    batches = stream(all_examples, total_steps=60)  # 160 + 200 + 240 examples in batches of 20
    first, second = (keys(half) for half in (batches[:30], batches[30:]))
    assert len(set(first)) == 600
    assert set(first) == set(second)
    assert first != second
    assert keys(stream(all_examples, seed=2)) != first


def test_shares_may_differ_from_the_sizes(all_examples):
    batches = stream(all_examples, shares=[2.0, 1.0, 1.0], total_steps=10)
    counts = collections.Counter(int(site) for batch in batches for site in batch['site'])
    assert counts == {0: 100, 1: 50, 2: 50}


def test_classes_are_drawn_equally_often(all_examples, parts):
    batches = stream(all_examples, class_balance=1.0)
    for k, part in enumerate(parts):
        labels = np.concatenate([batch['label'][batch['site'] == k] for batch in batches])
        there = part.class_counts > 0
        counts = np.bincount(labels, minlength=len(there))
        assert np.ptp(counts[there]) <= 1 < np.ptp(part.class_counts[there])
        assert not counts[~there].any()


@pytest.mark.parametrize('class_balance', [0.0, 1.0])
@pytest.mark.parametrize('keep', [False, True])
def test_neither_threads_nor_processes_nor_a_restart_change_the_batches(
    parts, all_examples, class_balance, keep
):
    options = {'class_balance': class_balance, 'total_steps': 45}
    expected = stream(all_examples, num_threads=1, **options)
    examples = Examples(parts, range(3), keep=True) if keep else all_examples
    for num_threads in (0, 2, 7):
        assert_same_bits(stream(examples, num_threads=num_threads, **options), expected)
    for first, num_threads in ((33, 1), (41, 3), (45, 1)):
        later = stream(examples, first_step=first, num_threads=num_threads, **options)
        assert_same_bits(later, expected[first:])
    for count in (2, 5):
        shares = [
            stream(examples, process_index=p, process_count=count, **options) for p in range(count)
        ]
        assert_same_bits(join(shares), expected)


def test_pixels_kept_in_memory_are_read_once(parts, monkeypatch):
    examples = Examples(parts, range(3), keep=True)
    expected = stream(examples, total_steps=60, num_threads=3)

    def no_disk(*arguments, **options):
        raise AssertionError('read again')

    monkeypatch.setattr(examples_module, 'decode_record', no_disk)
    assert_same_bits(stream(examples, total_steps=60, num_threads=3), expected)


@pytest.mark.parametrize('processes', [1, 2])
def test_evaluation_sees_every_example_once(parts, processes):
    examples = Examples([parts[0]], [5])
    batches = join(eval_batches(examples, Reading(48, 2, p, processes)) for p in range(processes))
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


@pytest.mark.parametrize('total_steps', [3, 10**6])
def test_threads_end_with_the_batches_or_when_they_are_closed(all_examples, total_steps):
    before = set(threading.enumerate())
    options = {'seed': 0, 'first_step': 0, 'total_steps': total_steps}
    batches = train_batches(all_examples, [1, 1, 1], Reading(20, 3), **options)
    next(batches)
    assert len(set(threading.enumerate()) - before) > 1
    if total_steps == 3:
        assert len(list(batches)) == 2
    else:
        batches.close()
    deadline = time.monotonic() + 30
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize('processes', [1, 3])
def test_pixels_are_kept_where_they_fit_a_quarter_of_the_memory(parts, processes, monkeypatch):
    assert decoded_bytes(parts) == 600 * 36 * 36 * 3
    assert usable_memory() > 2**28
    needed = processes * 4 * decoded_bytes(parts)
    for memory, fits in ((needed, True), (needed - 1, False)):
        monkeypatch.setattr(examples_module, 'usable_memory', lambda memory=memory: memory)
        kept = [is_kept(setting, parts, processes) for setting in ('auto', 'yes', 'no')]
        assert kept == [fits, True, False]


def test_pixels_that_do_not_fit_into_memory_are_named(parts, monkeypatch):
    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(examples_module.np, 'empty', full)
    with pytest.raises(InputError, match=r"0\.0 GiB.*expected keep_decoded to be 'no'"):
        Examples(parts, range(3), keep=True)


def test_validation_is_held_out_by_photo(data_dir):
    rafdb, expw = open_sites(data_dir, ('rafdb', 'expw'))
    kept, held_out = (open_part(expw, split, 0.3) for split in ('train', 'validation'))
    assert sorted([*kept.records, *held_out.records]) == list(range(200))
    assert 0.15 < len(held_out.records) / 200 < 0.45
    photos = read_index(expw.folder, 'train').photo_hash
    assert not set(photos[kept.records]) & set(photos[held_out.records])
    assert len(set(photos)) < 200  # so that some photo has several faces
    assert kept.class_counts.sum() == len(kept.records)
    np.testing.assert_array_equal(open_part(expw, 'validation', 0.3).records, held_out.records)
    with pytest.raises(InputError, match='no records in the validation split'):
        open_part(rafdb, 'validation', 1e-9)


class Slow:
    """Twenty examples; reading number 1 takes until `end` says that it may."""

    folders = ('one', 'two')

    def __init__(self, end):
        self._end = end

    def __len__(self):
        return 20

    def batch(self, numbers):
        while numbers[0] == 1 and not self._end():
            time.sleep(0.01)
        return numbers


def test_a_stall_is_reported_while_it_lasts_and_outlived(monkeypatch, capfd):
    monkeypatch.setattr(pipeline, '_PATIENCE_SECONDS', 0.2)
    said, end = '', time.monotonic() + 60

    def is_reported_twice():
        nonlocal said
        said += capfd.readouterr().err
        return said.count('\n') >= 2 or time.monotonic() > end

    assert list(eval_batches(Slow(is_reported_twice), Reading(1, 1))) == [[n] for n in range(20)]
    assert said.count('\n') >= 2
    report = r'warning: no batch of data for \d+ s; still waiting for one, two'
    assert all(re.fullmatch(report, line) for line in said.splitlines())


def test_neither_data_that_come_in_time_nor_slow_steps_are_reported(monkeypatch, capfd):
    monkeypatch.setattr(pipeline, '_PATIENCE_SECONDS', 0.2)
    # A clock of its own, so that a slow machine is no slow disk.
    now = [0.0]
    monkeypatch.setattr(pipeline, 'time', SimpleNamespace(monotonic=lambda: now[0]))

    def takes_half_of_it():
        now[0] += 0.1
        return True

    for number in eval_batches(Slow(takes_half_of_it), Reading(1, 1)):
        if number == [10]:
            now[0] += 5  # the step's time, not the disk's
            time.sleep(0.3)  # the watcher looks every 0.02 s
    assert 'no batch of data' not in capfd.readouterr().err
