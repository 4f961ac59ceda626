import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.coloured_photos import CLASSES, files_of, make_rows
from helpers.programs import REPOSITORY, run_tool, start_program

from cda_jax.prepare import readers
from cda_jax.prepare.run import prepare

pytestmark = pytest.mark.slow


def write_csv(root: Path, num_train: int, num_test: int, *lines: str) -> None:
    rows = make_rows(root, num_train, num_test)
    columns = ([row.id, CLASSES[row.label], row.split, *map(str, row.box)] for row in rows)
    text = '\n'.join(['path,label,split,x0,y0,x1,y1', *map(','.join, columns), *lines])
    (root / 'manifest.csv').write_text(text)


def flags(root: Path, out: Path, *options: str) -> list[str]:
    return ['--dataset=csv', f'--root={root}', f'--out={out}', '--face_size=32', *options]


def call(root: Path, out: Path, *options: str) -> subprocess.CompletedProcess:
    return run_tool('prepare', *flags(root, out, *options))


@pytest.mark.skipif(sys.platform != 'linux', reason='looks at processes through /proc')
def test_killed_tool_goes_on_and_ends_with_the_same_bytes(tmp_path):
    write_csv(tmp_path / 'own', num_train=300, num_test=60)
    options = '--shard_size=10', '--processes=2', '--name=Own'
    # In this process, which starts workers of the same kind.
    dataset = readers.read('csv', tmp_path / 'own')
    settings = {'face_size': 32, 'shard_size': 10, 'num_processes': 2}
    prepare(dataset, tmp_path / 'whole', name='Own', reader='csv', **settings)

    out = tmp_path / 'killed'
    tool = REPOSITORY / 'tools/prepare.py'
    process = start_program(tool, *flags(tmp_path / 'own', out, *options))
    deadline = time.monotonic() + 30
    while not list(out.glob('.parts/t*.json')):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    workers = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    process.kill()
    process.communicate()
    assert not (out / 'manifest.json').exists(), 'killed too late to show anything'
    while any(Path(f'/proc/{worker}').exists() for worker in workers):
        assert time.monotonic() < deadline, 'workers outlive the tool'
        time.sleep(0.01)
    complete = {path: path.stat().st_mtime_ns for path in out.glob('*.array_record')}
    parts = {path.stem for path in out.glob('.parts/t*.json')}
    (out / '.parts' / 'train-00099.tmp').write_bytes(b'left over')

    again = call(tmp_path / 'own', out, *options)
    assert again.returncode == 0, again.stderr
    assert files_of(out) == files_of(tmp_path / 'whole')
    for path, modified in complete.items():
        assert (path.stat().st_mtime_ns == modified) == (path.stem in parts)


def test_tool_summarises_what_it_did(tmp_path):
    lines = 'gone.png,red,train,1,2,3,4', '000.png,odd,train,1,2,3,4'
    write_csv(tmp_path / 'own', 9, 3, *lines)
    flags = '--processes=1', '--max_skipped_share=0.2', '--classes=green=Sea,blue=Sea,odd='
    command = tmp_path / 'own', tmp_path / 'out', *flags
    first = call(*command)
    assert first.returncode == 0, first.stderr
    words = [line.split() for line in first.stdout.splitlines()]
    assert ['red', '3', '1'] in words
    assert ['all', '9', '3'] in words
    for text in (
        "  classes: 'blue', 'green' are now 'Sea'; 'odd' is dropped\n",
        '14 rows: 12 written',
        '1 unusable: missing picture',
        'rows per second',
    ):
        assert text in first.stdout
    assert 'rows/s]' in first.stderr
    content = json.loads((tmp_path / 'out' / 'manifest.json').read_text())
    assert content['name'] == 'out'
    assert content['reader_options'] == {'classes': 'green=Sea,blue=Sea,odd='}
    second = call(*command)
    assert second.returncode == 0
    assert 'already prepared' in second.stderr


def test_tool_says_what_is_wrong_in_one_line(tmp_path):
    for options, message in (
        ([], f'{tmp_path}/nowhere: no such file or folder'),
        (['--dataset=nosuch'], "unknown dataset 'nosuch'"),
    ):
        done = call(tmp_path / 'nowhere', tmp_path / 'out', *options)
        assert (done.returncode, done.stderr.count('\n')) == (1, 1)
        assert done.stderr.startswith(f'error: {message}')
