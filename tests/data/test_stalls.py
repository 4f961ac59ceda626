"""Data that stop coming."""

import re
import threading
import time

import pytest

from cda_jax.data.pipeline import watched


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
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
