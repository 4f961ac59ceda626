import re
from pathlib import Path

import pytest
from helpers.programs import REPOSITORY, small_run_flags, start_program

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not Path('/proc/self/smaps_rollup').exists(), reason='asks the Linux kernel')
def test_the_memory_of_a_run_is_written_down(finished, data_dir):
    flags = [f'--workdir={finished[0]}', '--lines=2', '--', *small_run_flags(data_dir)]
    process = start_program(REPOSITORY / 'tools' / 'memory.py', *flags)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    head, _, *lines = out.splitlines()
    assert head == '| epochs | memory, MiB |'
    for line in lines:
        mib = re.fullmatch(r'\| 1\.9 to 1\.9 \| (\d+) \|', line)[1]
        assert 1 < int(mib) < 2000
    assert 1 <= len(lines) <= 2
