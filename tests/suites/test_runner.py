"""How the runs of a suite are worked off."""

import os
import sys
import time
from pathlib import Path

import pytest
from helpers.programs import start_program

from cda_jax.suites.runner import Task, run_tasks


def python(code):
    return [sys.executable, '-c', code]


def test_tasks_run_side_by_side_and_one_that_fails_stops_no_other(tmp_path, capsys):
    meet = (
        'import pathlib, time, sys\n'
        'me, other = map(pathlib.Path, sys.argv[1:])\n'
        'me.touch()\n'
        'end = time.monotonic() + 60\n'
        'while not other.exists():\n'
        '    assert time.monotonic() < end\n'
        '    time.sleep(0.02)\n'
    )
    a, b = tmp_path / 'a', tmp_path / 'b'
    tasks = [
        Task('one', [[*python(meet), str(a), str(b)], python("print('second')")], tmp_path / '1'),
        Task('two', [[*python(meet), str(b), str(a)]], tmp_path / '2'),
        Task('bad', [python("raise SystemExit('no')"), python("print('never')")], tmp_path / '3'),
    ]
    assert run_tasks(tasks, jobs=2) == {'bad': tmp_path / '3'}
    assert (tmp_path / '1').read_text() == 'second\n'
    assert (tmp_path / '3').read_text() == 'no\n'
    said = capsys.readouterr()
    assert {'one: done', 'two: done', f'bad: FAILED, see {tmp_path / "3"}'} <= set(
        said.out.splitlines()
    )
    assert '3.0 of 3 runs done' in said.err


def test_jobs_share_out_the_processors(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip('one processor cannot be shared out')
    code = 'import os, time; print(*os.sched_getaffinity(0)); time.sleep(1)'
    tasks = [Task(name, [python(code)], tmp_path / name) for name in '01']
    assert run_tasks(tasks, jobs=2) == {}
    shares = [set((tmp_path / name).read_text().split()) for name in '01']
    assert not shares[0] & shares[1]
    assert shares[0] | shares[1] == {str(n) for n in os.sched_getaffinity(0)}


@pytest.mark.slow
def test_runs_die_with_the_suite(tmp_path):
    write = f'open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))'
    child = python(f'import os, time; {write}; time.sleep(99)')
    task = f'Task("t", [{child!r}], Path({str(tmp_path / "log")!r}))'
    parent = (
        'from pathlib import Path\n'
        'from cda_jax.suites.runner import Task, run_tasks\n'
        f'run_tasks([{task}], jobs=1)'
    )
    process = start_program('-c', parent)
    end = time.monotonic() + 60
    while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    process.kill()
    process.communicate()
    pid = int((tmp_path / 'pid').read_text())
    while runs(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def runs(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'
