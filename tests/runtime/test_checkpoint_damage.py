"""Damaged checkpoints: real files, truncated, flipped and taken away."""

import json
import shutil
import sys

import jax
import numpy as np
import pytest
from helpers.checkpoints import assert_same_state, flip, halve, names, save, small_state

from cda_jax.errors import DamagedError, InputError
from cda_jax.runtime.checkpoint import Checkpoints


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole') / 'checkpoints'
    save(folder, {1: 0.9, 2: None, 3: 0.5}, keep=2)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / 'checkpoints')


@pytest.fixture
def like():
    return jax.eval_shape(lambda: small_state(0))


def resume(folder, like):
    with Checkpoints(folder, keep=2) as checkpoints:
        return *checkpoints.resume(like), checkpoints.best_step()


def said(capfd, folder):
    """The lines of Checkpoints; beside them Python may report reads that were abandoned."""
    lines = capfd.readouterr().err.splitlines()
    return [line for line in lines if line.startswith(('damaged checkpoint: ', f'{folder}/'))]


def flip_noise(path):
    """Flips a bit that Orbax restores silently."""
    noise = np.asarray(small_state(int(path.parent.name))['params']['noise']).tobytes()[:1000]
    files = (path for path in path.rglob('*') if path.is_file())
    (file,) = (path for path in files if noise in path.read_bytes())
    flip(file, file.read_bytes().index(noise) + 500)


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def empty(path):
    remove(path)
    path.mkdir()


def raise_score(path):
    path.write_text(path.read_text().replace('0.5', '0.99'))


# The newest, and the best, which is put aside before a run goes on.
@pytest.mark.parametrize(
    ('place', 'harm', 'message'),
    [
        ('1/state', flip_noise, 'params/noise has other values than when it was saved'),
        ('3/state', flip_noise, 'params/noise has other values than when it was saved'),
        ('3', empty, 'KeyError: \'Item "data" was not found'),
        ('3/data', remove, 'KeyError: \'Item "data" was not found'),
        ('3/data/metadata', halve, 'JSONDecodeError: '),
        ('3/data/metadata', lambda path: path.write_text('[' * 9999), 'RecursionError: '),
        ('3/data/metadata', lambda path: path.write_text('[]'), 'expected an object in its JSON'),
        ('3/metrics/metrics', remove, 'validation_score is None, was saved as 0.5'),
        ('3/metrics/metrics', raise_score, 'validation_score is 0.99, was saved as 0.5'),
        ('3/state', remove, 'KeyError: \'Item "state" was not found'),
        ('3/state/_METADATA', halve, 'JSONDecodeError'),
        ('3/state/manifest.ocdbt', remove, 'ValueError: NOT_FOUND'),
        ('3/state/d', remove, 'ValueError: NOT_FOUND'),
    ],
)
def test_damage_is_named_and_passed_over(folder, like, capfd, place, harm, message):
    harm(folder / place)
    damaged = place[0]
    newest, best = (3, 3) if damaged == '1' else (2, 1)
    state, *found = resume(folder, like)
    assert found == [{'read': newest}, newest, best]
    assert_same_state(state, small_state(newest))
    first, last = said(capfd, folder)
    assert first.startswith(f'damaged checkpoint: {folder}/{damaged}: {message}')
    assert last == f'{folder}/{damaged} is now {damaged}.damaged.1; nothing reads it any more'
    assert names(folder) == sorted({'1', '2', '3', f'{damaged}.damaged.1'} - {damaged})
    assert 'state' not in place or (folder / f'{damaged}.damaged.1/metrics/metrics').exists()


@pytest.mark.slow
def test_every_file_truncated_or_flipped_is_noticed_or_harmless(whole, like, tmp_path):
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
        assert_same_state(state, small_state(step))
        steps.append(step)
    assert set(steps) == {2, 3}


def test_a_step_put_aside_is_saved_again(folder, like):
    flip_noise(folder / '3' / 'state')
    for number in (1, 2):
        with Checkpoints(folder, keep=2) as checkpoints:
            assert checkpoints.resume(like)[2] == 2
            checkpoints.save(small_state(3), 3, data={'read': 3}, validation_score=0.5)
        assert names(folder) == ['1', '2', '3', *(f'3.damaged.{k + 1}' for k in range(number))]
        assert resume(folder, like)[2] == 3
        (folder / '3' / 'data' / 'metadata').unlink()


def test_without_a_whole_one_there_is_one_error_and_nothing_moves(folder, like):
    flip_noise(folder / '1' / 'state')
    (folder / '2' / 'data' / 'metadata').unlink()
    empty(folder / '3')
    with pytest.raises(InputError) as caught:
        resume(folder, like)
    assert [line.strip() for line in str(caught.value).splitlines()] == [
        f'{folder}: every checkpoint is damaged; expected one that is whole, or none:',
        f'{folder}/1: params/noise has other values than when it was saved',
        f'{folder}/2: File {folder}/2/data/metadata not found.',
        f'{folder}/3: KeyError: '
        + repr('Item "data" was not found in the checkpoint. Available items: []'),
    ]
    assert names(folder) == ['1', '2', '3']


def test_reading_alone_changes_nothing(folder, like, tmp_path):
    flip_noise(folder / '3' / 'state')
    weights = {name: like[name] for name in ('params', 'batch_stats')}
    with Checkpoints(folder) as checkpoints:
        with pytest.raises(DamagedError, match='3: params/noise has other values'):
            checkpoints.restore(3, weights, partly=True)
        _, data = checkpoints.read_first(
            checkpoints.latest_step, lambda step: checkpoints.restore(step, weights, partly=True)
        )
        assert data == {'read': 2}
        assert list(checkpoints.faults()) == [3]
    assert names(folder) == ['1', '2', '3']
    with Checkpoints(tmp_path / 'none') as checkpoints:
        assert checkpoints.latest_step() is checkpoints.best_step() is None
    assert not (tmp_path / 'none').exists()


def test_a_checkpoint_without_checksums_is_taken_unverified(folder, like, capfd):
    path = folder / '3' / 'data' / 'metadata'
    data = json.loads(path.read_text())
    del data['integrity']
    path.write_text(json.dumps(data))
    state, data, step, _ = resume(folder, like)
    assert (step, data) == (3, {'read': 3})
    assert_same_state(state, small_state(3))
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
