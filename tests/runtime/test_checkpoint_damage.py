"""Damaged checkpoints: real files, truncated, flipped and taken away."""

import json
import shutil
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from helpers.checkpoints import assert_same_state, halve, names, save, small_state

from cda_jax.errors import DamagedError, InputError
from cda_jax.runtime.checkpoint import Checkpoints

SCORES = {1: 0.9, 2: None, 3: 0.5}


@pytest.fixture(scope='module')
def states():
    return {step: small_state(step) for step in SCORES}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole') / 'checkpoints'
    save(folder, SCORES, keep=2)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / 'checkpoints')


@pytest.fixture
def like(states):
    return jax.eval_shape(lambda: states[1])


def resume(folder, like):
    with Checkpoints(folder, keep=2) as checkpoints:
        return *checkpoints.resume(like), checkpoints.best_step()


def said(capfd, folder):
    """The lines of Checkpoints; beside them Python may report reads that were abandoned."""
    lines = capfd.readouterr().err.splitlines()
    return [line for line in lines if line.startswith(('damaged checkpoint: ', f'{folder}/'))]


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def flip_noise(folder, states, step):
    noise = np.asarray(states[step]['params']['noise']).tobytes()[:1000]
    files = (path for path in (folder / str(step) / 'state').rglob('*') if path.is_file())
    (path,) = (path for path in files if noise in path.read_bytes())
    flip(path, path.read_bytes().index(noise) + 500)


# The newest, and the best, which is put aside before a run goes on.
@pytest.mark.parametrize(('damaged', 'newest', 'best'), [(3, 2, 1), (1, 3, 3)])
def test_flipped_bits_that_orbax_restores_silently(
    folder, states, like, capfd, damaged, newest, best
):
    flip_noise(folder, states, damaged)
    with ocp.CheckpointManager(folder) as manager:
        arguments = ocp.args.Composite(state=ocp.args.StandardRestore(states[damaged]))
        silent = manager.restore(damaged, args=arguments).state
    assert (silent['params']['noise'] != states[damaged]['params']['noise']).sum() == 1
    state, *found = resume(folder, like)
    assert found == [{'read': newest}, newest, best]
    assert_same_state(state, states[newest])
    path = folder / str(damaged)
    assert said(capfd, folder) == [
        f'damaged checkpoint: {path}: params/noise has other values than when it was saved',
        f'{path} is now {damaged}.damaged.1; nothing reads it any more',
    ]
    whole = {'1', '2', '3'} - {path.name}
    assert names(folder) == sorted([*whole, f'{damaged}.damaged.1'])


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def empty(path):
    remove(path)
    path.mkdir()


def raise_score(path):
    path.write_text(path.read_text().replace('0.5', '0.99'))


@pytest.mark.parametrize(
    ('place', 'harm', 'message'),
    [
        ('', empty, '3: KeyError: \'Item "data" was not found'),
        ('data', remove, '3: KeyError: \'Item "data" was not found'),
        ('data/metadata', halve, '3: JSONDecodeError: '),
        ('data/metadata', lambda path: path.write_text('[' * 9999), '3: RecursionError: '),
        ('data/metadata', lambda path: path.write_text('[]'), '3: expected an object in its JSON'),
        ('metrics/metrics', remove, '3: validation_score is None, was saved as 0.5'),
        ('metrics/metrics', raise_score, '3: validation_score is 0.99, was saved as 0.5'),
        ('state', remove, '3: KeyError: \'Item "state" was not found'),
        ('state/_METADATA', halve, '3: JSONDecodeError'),
        ('state/manifest.ocdbt', remove, '3: ValueError: NOT_FOUND'),
        ('state/d', remove, '3: ValueError: NOT_FOUND'),
    ],
)
def test_damage_is_named_and_passed_over(folder, states, like, capfd, place, harm, message):
    harm(folder / '3' / place)
    state, *found = resume(folder, like)
    assert found == [{'read': 2}, 2, 1]
    assert_same_state(state, states[2])
    first, last = said(capfd, folder)
    assert first.startswith(f'damaged checkpoint: {folder}/{message}')
    assert last == f'{folder}/3 is now 3.damaged.1; nothing reads it any more'
    assert 'state' not in place or (folder / '3.damaged.1' / 'metrics' / 'metrics').exists()


@pytest.mark.slow
def test_every_file_truncated_or_flipped_is_noticed_or_harmless(whole, states, like, tmp_path):
    """Some files are of no use to a restore; then all bits must come back."""
    rng = np.random.default_rng(1)
    steps = []
    files = [path for path in (whole / '3').rglob('*') if path.is_file()]
    for number, path in enumerate(sorted(files)):
        # A folder of its own for each, because TensorStore keeps what it has read.
        folder = shutil.copytree(whole, tmp_path / str(number))
        target = folder / path.relative_to(whole)
        halve(target) if number % 2 else flip(target, rng.integers(target.stat().st_size))
        state, _, step, best = resume(folder, like)
        assert best == 1
        assert_same_state(state, states[step])
        steps.append(step)
    assert set(steps) == {2, 3}


def test_a_step_put_aside_is_saved_again(folder, states, like):
    flip_noise(folder, states, 3)
    for number in (1, 2):
        with Checkpoints(folder, keep=2) as checkpoints:
            assert checkpoints.resume(like)[2] == 2
            checkpoints.save(states[3], 3, data={'read': 3}, validation_score=0.5)
        assert names(folder) == ['1', '2', '3', *(f'3.damaged.{k + 1}' for k in range(number))]
        assert resume(folder, like)[2] == 3
        (folder / '3' / 'data' / 'metadata').unlink()


def test_without_a_whole_one_there_is_one_error_and_nothing_moves(folder, states, like):
    flip_noise(folder, states, 1)
    (folder / '2' / 'data' / 'metadata').unlink()
    empty(folder / '3')
    with pytest.raises(InputError) as caught:
        resume(folder, like)
    first, *reasons = str(caught.value).splitlines()
    assert first.startswith(f'{folder}: every checkpoint is damaged; expected one')
    assert [reason.strip() for reason in reasons] == [
        f'{folder}/1: params/noise has other values than when it was saved',
        f'{folder}/2: File {folder}/2/data/metadata not found.',
        f'{folder}/3: KeyError: '
        + repr('Item "data" was not found in the checkpoint. Available items: []'),
    ]
    assert names(folder) == ['1', '2', '3']


def test_reading_alone_changes_nothing(folder, states, like, tmp_path):
    flip_noise(folder, states, 3)
    weights = {name: like[name] for name in ('params', 'batch_stats')}
    with Checkpoints(folder, read_only=True) as checkpoints:
        with pytest.raises(DamagedError, match='3: params/noise has other values'):
            checkpoints.restore(3, weights, partly=True)
        found = checkpoints.read_first(
            checkpoints.latest_step, lambda step: checkpoints.restore(step, weights, partly=True)
        )
        assert found[0] == 2
        assert list(checkpoints.faults()) == [3]
    assert names(folder) == ['1', '2', '3']
    with Checkpoints(tmp_path / 'none', read_only=True) as checkpoints:
        assert checkpoints.latest_step() is checkpoints.best_step() is None
    assert not (tmp_path / 'none').exists()


def test_a_checkpoint_without_checksums_is_taken_unverified(folder, states, like, capfd):
    path = folder / '3' / 'data' / 'metadata'
    data = json.loads(path.read_text())
    del data['integrity']
    path.write_text(json.dumps(data))
    state, data, step, _ = resume(folder, like)
    assert (step, data) == (3, {'read': 3})
    assert_same_state(state, states[3])
    line = f'{folder}/3: written without checksums; it is taken as it is, unverified'
    assert said(capfd, folder) == [line]


def test_another_network_is_no_damage(folder, like):
    like['params']['noise'] = jax.ShapeDtypeStruct((3,), np.uint32)
    message = r'cannot be restored for this config: params/noise is uint32\[8192\] there, '
    with pytest.raises(InputError, match=message + r'uint32\[3\] here') as caught:
        resume(folder, like)
    assert not isinstance(caught.value, DamagedError)
    del like['params']['noise']
    with pytest.raises(InputError, match=message + 'nothing here'):
        resume(folder, like)
    assert names(folder) == ['1', '2', '3']


def test_nothing_is_unpickled(folder, like):
    events, watching = [], [True]
    # Hooks stay for good, hence the switch.
    sys.addaudithook(
        lambda event, _: events.append(event) if watching and event.startswith('pickle') else None
    )
    assert resume(folder, like)[2] == 3
    watching.clear()
    assert events == []
