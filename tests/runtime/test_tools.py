"""The tools that try a run: its memory, and its end after stops at random instants."""

import os
import re
import shutil

import pytest
from helpers.programs import REPOSITORY, small_run_flags, start_program

pytestmark = pytest.mark.slow

TOOLS = REPOSITORY / 'tools'


def run_tool(name, *flags):
    """Output of a tool that succeeds."""
    process = start_program(TOOLS / f'{name}.py', *flags)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return out


@pytest.mark.skipif(not os.path.exists('/proc/self/smaps_rollup'), reason='asks the Linux kernel')
def test_the_memory_of_a_run_is_written_down(finished, data_dir):
    flags = [f'--workdir={finished[0]}', '--lines=2', '--', *small_run_flags(data_dir)]
    head, _, *lines = run_tool('memory', *flags).splitlines()
    assert head == '| epochs | memory, MiB |'
    assert 1 <= len(lines) <= 2
    for line in lines:
        assert 1 < int(re.fullmatch(r'\| 1\.9 to 1\.9 \| (\d+) \|', line)[1]) < 2000


def test_stopped_at_random_instants_it_ends_the_same(finished, data_dir, tmp_path):
    flags = [f'--workdir={tmp_path}', f'--undisturbed={finished[0]}', '--kills=3', '--longest=9']
    out = run_tool('soak', *flags, '--', *small_run_flags(data_dir))
    assert [line.partition(':')[0] for line in out.splitlines() if ' after ' in line] == list('123')
    assert out.count('the same weights, metrics and results') >= 1


def test_the_soak_notices_a_run_that_is_not_the_same(finished, tmp_path):
    other = shutil.copytree(finished[0], tmp_path / 'other')
    lines = (other / 'metrics.jsonl').read_text().splitlines()
    (other / 'metrics.jsonl').write_text('\n'.join([*lines, lines[-1]]))
    workdirs = [str(other), str(finished[0])]
    code = f'import pathlib, soak; print(soak.differences(*map(pathlib.Path, {workdirs})))'
    path = os.pathsep.join([str(REPOSITORY), str(TOOLS)])
    out, err = start_program('-c', code, environment={'PYTHONPATH': path}).communicate(timeout=60)
    assert out == "['another metrics.jsonl']\n", err
