"""Runs that are asked to stop, by real signals."""

import os
import signal
import time

import pytest
from helpers.runs import assert_same_bits, final_parameters, metrics
from helpers.several import ends, start_several

from cda_jax.runtime.workdir import occupied

pytestmark = pytest.mark.slow


def wait_for(process, start):
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(f'no line that starts with {start!r}:\n{process.stderr.read()}')


def end_of(process, seconds):
    """Exit code and error output, which must come within so many seconds."""
    start = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - start < seconds
    return process.returncode, err


@pytest.mark.parametrize(
    ('line', 'number', 'send'),
    [('starting', signal.SIGTERM, os.kill), ('first step done', signal.SIGINT, os.killpg)],
)
def test_a_run_that_is_asked_to_stop_saves_and_goes_on_to_the_same_bits(
    finished, start_main, run_main, tmp_path, line, number, send
):
    # Also to a whole group, as Ctrl-C sends it and schedulers that end a job.
    process = start_main(tmp_path, new_session=True)
    wait_for(process, line)
    send(process.pid, number)
    code, err = end_of(process, seconds=30)
    assert code == 75, err
    lines = err.splitlines()
    assert lines[0] == f'{number.name}: saving and stopping; once more stops at once'
    step = max(int(path.name) for path in (tmp_path / 'checkpoints').iterdir())
    assert lines[-1] == f'saved after step {step} of 36; the same command goes on'
    assert not (tmp_path / 'results.json').exists()

    code, out, err = run_main(tmp_path)
    assert code == 0, err
    assert f'going on after step {step}' in out
    assert_same_bits(final_parameters(tmp_path), final_parameters(finished[0]))
    assert metrics(tmp_path) == metrics(finished[0])


def test_a_second_signal_stops_at_once(start_main, tmp_path):
    process = start_main(tmp_path)
    wait_for(process, 'starting')  # the step is not compiled yet
    process.send_signal(signal.SIGTERM)
    assert process.stderr.readline().startswith('SIGTERM: saving and stopping')
    process.send_signal(signal.SIGINT)
    code, err = end_of(process, seconds=10)
    assert code == 128 + signal.SIGINT
    assert 'SIGINT: stopped; the same command goes on from the last checkpoint\n' in err
    assert not list((tmp_path / 'checkpoints').iterdir())


def test_a_second_training_in_the_same_workdir_is_refused(run_main, tmp_path):
    with occupied(tmp_path):
        code, _, err = run_main(tmp_path)
    assert code == 1
    assert err.startswith(f'error: workdir {tmp_path} is in use by process {os.getpid()} on ')
    assert err.count('\n') == 1
    assert not (tmp_path / 'checkpoints').exists()


def test_a_signal_while_results_are_made_loses_nothing(finished, start_main, run_main, tmp_path):
    process = start_main(tmp_path)
    wait_for(process, 'step 36')
    while not (tmp_path / 'checkpoints' / '36').exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    code, _ = end_of(process, seconds=10)
    # On a machine in no hurry it may be done already.
    assert (tmp_path / 'results.json').exists() == (code == 0)
    assert code in (0, 75)
    code, _, err = run_main(tmp_path)
    assert code == 0, err
    results = [workdir / 'results.json' for workdir in (tmp_path, finished[0])]
    assert results[0].read_text() == results[1].read_text()
    assert metrics(tmp_path) == metrics(finished[0])


def test_all_processes_stop_at_the_same_step_when_one_is_asked(start_main, tmp_path):
    pair = start_several(start_main, tmp_path, num_epochs=20)
    wait_for(pair[0], 'step   5')
    pair[1].send_signal(signal.SIGTERM)
    codes, _, errors = ends(pair, timeout=60)
    assert codes == [75, 75], errors
    (notice,) = {error.splitlines()[-1] for error in errors}
    step = max(int(path.name) for path in (tmp_path / 'checkpoints').iterdir())
    assert notice == f'saved after step {step} of 360; the same command goes on'
