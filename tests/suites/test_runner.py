"""How the runs of a suite are worked off."""

import fcntl
import os
import sys
import time

import pytest
from helpers.programs import start_program
from helpers.suites import kill_once

from cda_jax.suites.runner import Task, run_tasks


def python(code):
    return [sys.executable, '-c', code]


def test_tasks_run_side_by_side_and_one_that_fails_stops_no_other(tmp_path, capsys):
    meet = (
        'import os, pathlib, time, sys\n'
        'me, other = map(pathlib.Path, sys.argv[1:])\n'
        'me.touch()\n'
        'end = time.monotonic() + 60\n'
        'while not other.exists():\n'
        '    assert time.monotonic() < end\n'
        '    time.sleep(0.02)\n'
        'print(*os.sched_getaffinity(0))\n'
    )
    a, b = tmp_path / 'a', tmp_path / 'b'
    tasks = [
        Task('one', [[*python(meet), str(a), str(b)], python("print('second')")], tmp_path / '1'),
        Task('two', [[*python(meet), str(b), str(a)]], tmp_path / '2'),
        Task('bad', [python("raise SystemExit('no')"), python("print('never')")], tmp_path / '3'),
    ]
    assert run_tasks(tasks, jobs=2) == {'bad': tmp_path / '3'}
    said = capsys.readouterr()
    assert {'one: done', 'two: done', f'bad: FAILED, see {tmp_path / "3"}'} <= set(
        said.out.splitlines()
    )
    assert '3.0 of 3 runs done' in said.err
    first, second = (tmp_path / '1').read_text().splitlines()
    assert (second, (tmp_path / '3').read_text()) == ('second', 'no\n')
    # Those side by side share out the processors, unless there is only one.
    shares = [set(text.split()) for text in (first, (tmp_path / '2').read_text())]
    processors = {str(number) for number in os.sched_getaffinity(0)}
    assert shares[0] | shares[1] == processors
    assert not shares[0] & shares[1] or len(processors) == 1


@pytest.mark.slow
def test_runs_die_with_the_suite(tmp_path):
    lock, log = tmp_path / 'lock', tmp_path / 'log'
    take = f'file = open({str(lock)!r}, "w"); fcntl.flock(file, fcntl.LOCK_EX)'
    child = python(f'import fcntl, time; {take}; print("taken", flush=True); time.sleep(99)')
    parent = (
        'from pathlib import Path\n'
        'from cda_jax.suites.runner import Task, run_tasks\n'
        f'run_tasks([Task("t", [{child!r}], Path({str(log)!r}))], jobs=1)'
    )
    kill_once(start_program('-c', parent), lambda: log.exists() and log.read_text())
    start = time.monotonic()
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # which a child that goes on gives back at its end only
    assert time.monotonic() - start < 60
