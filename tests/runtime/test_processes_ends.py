"""How several real processes go on, or end, when one of them fails or differs from the others."""

import json
import shutil
import signal

import pytest
from helpers.checkpoints import halve, names, save
from helpers.programs import REPOSITORY, start_program
from helpers.several import ends, free_address, start_several

pytestmark = pytest.mark.slow

HELPERS = REPOSITORY / 'tests' / 'helpers'


def test_all_stop_where_one_differs(start_main, data_dir, tmp_path):
    other = shutil.copytree(data_dir, tmp_path / 'data')
    manifest = other / 'expw' / 'manifest.json'
    manifest.write_text(manifest.read_text() + '\n')
    own = {1: {'seed': 3, 'data_dir': other, 'num_threads': 2}}
    codes, _, errors = ends(start_several(start_main, tmp_path / 'run', own=own))
    assert codes == [1, 1]
    for error in errors:
        assert error.splitlines()[-1].endswith(')')
        assert 'process 1 differs from process 0 in config field seed (3, not 0), the' in error
        assert 'the manifest of site expw' in error
        assert 'num_threads' not in error
        assert 'rafdb' not in error
    assert not (tmp_path / 'run').exists()


def test_all_stop_where_one_lacks_data(start_main, data_dir, tmp_path):
    other = shutil.copytree(data_dir, tmp_path / 'data')
    missing = next((other / 'expw').glob('train*record*'))
    missing.unlink()
    own = {1: {'data_dir': other}}
    codes, _, errors = ends(start_several(start_main, tmp_path / 'run', own=own))
    assert codes == [1, 1]
    what = f'{missing}: no such file, but the manifest lists it'
    assert errors[0].splitlines()[-1] == f'error: process 1 stopped: {what}'
    assert errors[1].splitlines()[-1] == f'error: {what}'
    assert not (tmp_path / 'run').exists()


def test_four_count_each_example_once_and_end_without_the_first():
    address = free_address()
    peers = [start_program(HELPERS / 'peers.py', address, 4, i) for i in range(4)]
    for peer in peers:
        lines = iter(peer.stdout.readline, '')
        line = next((line for line in lines if line.startswith('{')), None)
        assert line, [end.splitlines()[-3:] for end in ends(peers, timeout=60)[2]]
        learned = json.loads(line)
        assert learned['counts'] == [1] * 37 + [0] * 11
        assert learned['all'] == [False] * 4 + [True]
        assert learned['texts'] == ['', 'ä', 'ää', 'äää']
    peers[0].send_signal(signal.SIGKILL)
    codes, _, _ = ends(peers, timeout=60)
    assert codes[0] == -signal.SIGKILL
    assert not {0, 75} & set(codes[1:])


def test_a_checkpoint_that_one_process_cannot_read_is_passed_over_by_all(tmp_path):
    folders = tmp_path / 'shared', tmp_path / 'other'
    save(folders[0], {2: None, 3: None}, keep=2)
    # A second view of the same folder, in which a file is damaged.
    shutil.copytree(*folders)
    halve(folders[1] / '3' / 'state' / 'manifest.ocdbt')

    program, address = HELPERS / 'restoring_process.py', free_address()
    pair = [start_program(program, address, 2, k, folder) for k, folder in enumerate(folders)]
    codes, outs, errors = ends(pair, timeout=120)
    assert codes == [0, 0], errors
    assert all(out.endswith("resumed 2 {'read': 2} on {2}\n") for out in outs), outs
    assert errors[0].splitlines() == [
        f'damaged checkpoint: {folders[0]}/3: another process cannot read it',
        f'{folders[0]}/3 is now 3.damaged.1; nothing reads it any more',
    ]
    assert names(folders[0]) == ['2', '3.damaged.1']
