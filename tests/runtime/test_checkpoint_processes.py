"""Two processes that find different damage come to one decision."""

import shutil
import socket

import pytest
from helpers.programs import REPOSITORY, start_program
from helpers.three_steps import make_recipe

from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.devices import replicate
from cda_jax.step import init_state

pytestmark = pytest.mark.slow


def test_what_one_process_cannot_read_all_pass_over(tmp_path):
    state = replicate(init_state(make_recipe(), seed=0))
    folders = tmp_path / 'shared', tmp_path / 'other'
    with Checkpoints(folders[0], keep=2) as checkpoints:
        for step in (2, 3):
            checkpoints.save(state, step, data={'read': step})
    # A second view of the same folder, in which a file lies broken.
    shutil.copytree(*folders)
    manifest = folders[1] / '3' / 'state' / 'manifest.ocdbt'
    manifest.write_bytes(manifest.read_bytes()[:20])

    with socket.socket() as probe:
        probe.bind(('localhost', 0))
        port = probe.getsockname()[1]
    program = REPOSITORY / 'tests' / 'helpers' / 'restoring_process.py'
    pair = [start_program(program, port, 2, k, folder) for k, folder in enumerate(folders)]
    try:
        ends = [process.communicate(timeout=120) for process in pair]
    finally:
        for process in pair:
            process.kill()
    assert [process.returncode for process in pair] == [0, 0], ends
    for out, _ in ends:
        assert out.endswith("resumed 2 {'read': 2} on {2}\n")
    assert ends[0][1].splitlines() == [
        f'damaged checkpoint: {folders[0]}/3: another process cannot read it',
        f'{folders[0]}/3 is now 3.damaged.1; nothing reads it any more',
    ]
    assert sorted(path.name for path in folders[0].iterdir()) == ['2', '3.damaged.1']
