"""Runs that are asked to stop, by real signals."""

import contextlib
import os
import shutil
import signal
import time

import pytest
from helpers.programs import outputs, small_config, wait_for
from helpers.runs import assert_same_end
from helpers.several import ends, start_several

from cda_jax.errors import InputError
from cda_jax.runtime import signals
from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.signals import EXIT_CODE, Preempted, StopSignals
from cda_jax.runtime.workdir import occupied
from cda_jax.train import train
from cda_jax.trained import config_of_run

pytestmark = pytest.mark.slow


def test_a_run_that_is_asked_to_stop_saves_and_goes_on_to_the_same_bits(
    finished, start_main, run_main, tmp_path
):
    step = 0
    for line, number, send in (
        ('starting', signal.SIGTERM, os.kill),
        # Also to a whole group, as Ctrl-C sends it and schedulers that end a job.
        ('first step done', signal.SIGINT, os.killpg),
    ):
        process = start_main(tmp_path, new_session=True)
        if step:
            wait_for(process, f'going on after step {step}')
        wait_for(process, line)
        send(process.pid, number)
        lines = outputs(process, code=75, timeout=30)[1].splitlines()
        assert lines[0] == f'{number.name}: saving and stopping; once more stops at once'
        before = step
        step = max(int(path.name) for path in (tmp_path / 'checkpoints').iterdir())
        assert step > before
        assert lines[-1] == f'saved after step {step} of 36; the same command goes on'
        assert not (tmp_path / 'results.json').exists()

    # A signal while the last step is saved, or results are made, loses nothing.
    process = start_main(tmp_path)
    wait_for(process, f'going on after step {step}')
    wait_for(process, 'step 36')
    while not (tmp_path / 'checkpoints' / '36').exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    # On a machine in no hurry it may be done already.
    assert process.returncode == (0 if (tmp_path / 'results.json').exists() else 75)
    run_main(tmp_path)
    assert_same_end(tmp_path, finished[0])


def test_a_signal_while_the_last_step_is_saved_stops_before_the_evaluation(
    finished, tmp_path, monkeypatch
):
    workdir, stop = shutil.copytree(finished[0], tmp_path / 'run'), StopSignals()
    (workdir / 'results.json').unlink()
    finish = Checkpoints.finish

    def finish_when_asked_to_stop(checkpoints):
        stop.requested = True
        finish(checkpoints)

    monkeypatch.setattr(Checkpoints, 'finish', finish_when_asked_to_stop)
    with pytest.raises(Preempted, match=r'^saved after step 36 of 36; the same command goes on$'):
        train(config_of_run(workdir), workdir, stop)
    assert not (workdir / 'results.json').exists()


def test_a_signal_just_before_training_counts_as_before_it(monkeypatch):
    codes, stop, training = [], StopSignals(), contextlib.ExitStack()
    # Training begins between the two things that the signal does.
    monkeypatch.setattr(signals, '_say', lambda text: training.enter_context(stop.deferred()))
    monkeypatch.setattr(os, '_exit', codes.append)
    with stop, training:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            if codes:
                break
            time.sleep(0.01)
    assert codes == [EXIT_CODE]


def test_a_second_signal_stops_at_once(start_main, tmp_path):
    process = start_main(tmp_path)
    wait_for(process, 'starting')  # the step is not compiled yet
    process.send_signal(signal.SIGTERM)
    assert process.stderr.readline().startswith('SIGTERM: saving and stopping')
    process.send_signal(signal.SIGINT)
    _, err = outputs(process, code=128 + signal.SIGINT, timeout=10)
    assert 'SIGINT: stopped; the same command goes on from the last checkpoint\n' in err
    assert not list((tmp_path / 'checkpoints').iterdir())


def test_a_second_training_in_the_same_workdir_is_refused(data_dir, tmp_path):
    message = f'^workdir {tmp_path} is in use by process {os.getpid()} on .*$'
    with occupied(tmp_path), pytest.raises(InputError, match=message):
        train(small_config(data_dir), tmp_path)
    assert not (tmp_path / 'checkpoints').exists()


def test_all_processes_stop_at_the_same_step_when_one_is_asked(start_main, tmp_path):
    pair = start_several(start_main, tmp_path, config='baseline', num_epochs=50)
    wait_for(pair[0], 'step   5')
    pair[1].send_signal(signal.SIGTERM)
    codes, _, errors = ends(pair, timeout=60)
    assert codes == [75, 75], errors
    (notice,) = {error.splitlines()[-1] for error in errors}
    step = max(int(path.name) for path in (tmp_path / 'checkpoints').iterdir())
    assert notice == f'saved after step {step} of 900; the same command goes on'
