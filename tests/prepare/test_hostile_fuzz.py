"""The fuzzing tool: it passes on the parsers as they are, and finds faults that are put in."""

import os
import subprocess
import sys

from helpers.programs import REPOSITORY

TOOLS = REPOSITORY / 'tools'

# Read at the start of every Python that has its folder in PYTHONPATH.
FAULTS = """
import os, time
import fuzz_targets
from fuzz_targets import Target

WANTED = (ValueError,)

def other_exception(data):
    if len(data) != 6:
        raise KeyError('x')

def crash(data):
    if len(data) != 6:
        os.abort()

def memory(data):
    if len(data) != 6:
        bytearray(200 * 2**20)

def two_lines(data):
    if len(data) != 6:
        raise ValueError('one' + chr(10) + 'two')

for name, run in (('expw', other_exception), ('csv', crash), ('npy', memory), ('npz', two_lines)):
    fuzz_targets.TARGETS[name] = lambda folder, run=run: Target((b'abcdef',), run, WANTED, 64)
"""


def fuzz(out, *flags, path=''):
    done = subprocess.run(
        [sys.executable, TOOLS / 'fuzz.py', f'--out={out}', *flags],
        env=os.environ | {'PYTHONPATH': os.pathsep.join((str(REPOSITORY), str(TOOLS), str(path)))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_parsers_pass_and_every_input_is_counted(tmp_path):
    code, out, err = fuzz(tmp_path / 'out', '--seconds=1', '--targets=record-jpeg,affectnet-csv')
    assert code == 0, out + err
    _, *lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ['record-jpeg', 'affectnet-csv']
    for line in lines:
        inputs, read, refused = (int(figure.replace(',', '')) for figure in line.split()[1:4])
        assert inputs == read + refused
        assert min(read, refused) > 5
    assert not list((tmp_path / 'out').iterdir())


def test_faults_are_found_and_their_input_kept(tmp_path):
    (tmp_path / 'sitecustomize.py').write_text(FAULTS)
    out = tmp_path / 'out'
    code, text, _ = fuzz(out, '--seconds=12', '--targets=expw,csv,npy,npz', path=tmp_path)
    assert code == 1
    for name, message in (
        ('expw', "KeyError: 'x'"),
        ('csv', 'died: SIGABRT'),
        ('npy', 'MemoryError'),
        ('npz', "a message of 7 characters that begins 'one"),
    ):
        assert f'FAILED on {out / name}.input: ' in text
        assert message in text
        assert len((out / f'{name}.input').read_bytes()) != 6


def test_an_unknown_target_is_named(tmp_path):
    code, _, err = fuzz(tmp_path, '--targets=raf')
    assert code == 1
    assert err.startswith("error: unknown target 'raf'; expected some of record-jpeg, record-raw")
