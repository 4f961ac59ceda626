"""Data that stop coming, and processes that read them when they are hurt."""

import multiprocessing
import os
import signal
import time

import grain
import pytest
from helpers.coloured_photos import CLASSES, make_rows

from cda_jax.data.pipeline import PartSource, Reading, train_batches
from cda_jax.data.sites import open_part, open_sites
from cda_jax.data.stalls import report_when_asked, watched
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.run import prepare


class StalledStorage:
    """Gives one item at once, the next after a while."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index == 1:
            wait_for_the_disk()
        return index


def wait_for_the_disk():
    time.sleep(1.5)


def set_up_worker(worker_index, worker_count):
    report_when_asked()


@pytest.mark.parametrize('num_workers', [0, 1])
def test_a_stall_is_reported_with_the_stack_and_outlived(num_workers, capfd):
    items = grain.MapDataset.source(StalledStorage()).to_iter_dataset(
        grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    )
    if num_workers:
        options = grain.MultiprocessingOptions(num_workers=1)
        items = items.mp_prefetch(options, worker_init_fn=set_up_worker)
    stream = iter(items)
    assert next(stream) == 0  # until a worker has started
    assert list(watched(stream, patience=0.5)) == [1]
    stream.close()
    err = capfd.readouterr().err
    assert 'warning: no batch of data for ' in err
    assert 'wait_for_the_disk' in err


def test_data_that_come_in_time_are_not_reported(capfd):
    def numbers():
        for number in range(30):
            time.sleep(0.1)
            yield number

    assert list(watched(numbers(), patience=2)) == list(range(30))
    assert capfd.readouterr().err == ''


@pytest.fixture
def batches(tmp_path):
    """Batches without end, and the one process that reads them."""
    rows = make_rows(tmp_path / 'photos', num_train=24)
    prepare(
        Dataset(CLASSES, (), iter(rows)), tmp_path / 'toys', name='toys', reader='csv', face_size=16
    )
    (site,) = open_sites(tmp_path, ('toys',))
    source = PartSource(open_part(site, 'train', 0.0), 0)
    stream = train_batches([source], [1.0], Reading(8, 1), seed=0, first_step=0, total_steps=10**6)
    next(stream)
    (worker,) = multiprocessing.active_children()
    yield stream, worker
    stream.close()


def test_a_process_that_was_killed_is_one_clear_error(batches):
    stream, worker = batches
    worker.kill()
    with pytest.raises(InputError, match=r'a process that reads data died.*exit code -9'):
        for _ in stream:
            pass


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_whole_group_leave_those_who_read_at_work(batches, number):
    stream, worker = batches
    os.kill(worker.pid, number)
    time.sleep(0.2)
    for _, _batch in zip(range(20), stream, strict=False):  # more than there were ahead
        pass
    assert worker.is_alive()
