"""How a command ends: its exit code and its last words."""

import pytest
from helpers.programs import outputs, start_program

pytestmark = pytest.mark.slow

CODE = """
from cda_jax.errors import DivergenceError, InputError
from cda_jax.runtime import program
from cda_jax.runtime.signals import Preempted

def command(*arguments):
    print('started', *arguments)
    {}

program.run(command, passes_on={})
"""


@pytest.mark.parametrize(
    ('does', 'flags', 'code', 'out', 'error'),
    [
        ('pass', [], 0, 'started\n', ''),
        ("raise InputError('rows.csv: no')", [], 1, 'started\n', 'error: rows.csv: no\n'),
        ("raise DivergenceError('step 3')", [], 1, 'started\n', 'error: step 3\n'),
        ("raise Preempted('saved')", [], 75, 'started\n', 'saved\n'),
        ('raise KeyboardInterrupt', [], 1, 'started\n', 'interrupted; the same command goes on'),
        ('pass', ['x'], 1, '', "error: unexpected argument 'x'; expected flags only\n"),
        ('pass', ['--', '--a=1'], 0, "started ['--a=1']\n", ''),
    ],
)
def test_how_a_command_ends(does, flags, code, out, error):
    process = start_program('-c', CODE.format(does, '--' in flags), *flags)
    said, complained = outputs(process, code, timeout=60)
    assert said == out
    assert complained.startswith(error)
