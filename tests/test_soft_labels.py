"""Sites whose annotators voted: the shares of votes are learned in the place of one-hot labels."""

import contextlib
import shutil

import cv2
import numpy as np
import pytest
from helpers.other_classes import rows_of
from helpers.programs import small_config
from helpers.runs import assert_same_bits
from helpers.three_steps import make_batch, make_recipe, mapped_step

from cda_jax.data.examples import PADDING, Examples
from cda_jax.data.manifest import read_index, write_index
from cda_jax.data.pipeline import Reading, train_batches
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.experiment import build_experiment, open_batches
from cda_jax.prepare.dataset import Dataset, Example, without_labels
from cda_jax.prepare.run import prepare
from cda_jax.train import train
from cda_jax.trained import load_trained

VOTED = ('Surprise', 'Fear', 'Contempt'), [(6, 1, 3), (0, 5, 0), (1, 1, 2), (2, 2, 0)]
PLAIN_SITE = ('Fear', 'Happiness'), [(1, 0), (0, 1)]
# In the classes of both sites: surprise, fear, happiness, contempt.
SOFT = [[0.6, 0.1, 0, 0.3], [0, 1, 0, 0], [0.25, 0.25, 0, 0.5], [0.5, 0.5, 0, 0]]
SOFT += [[0, 1, 0, 0], [0, 0, 1, 0]]


def rows_with(votes, keep_votes):
    """A row for each of the votes, for training and for the test."""
    for split in ('train', 'test'):
        for number, row in enumerate(votes):
            image = np.full((8, 8, 3), 20 * number + 5 * len(row), np.uint8)
            data, name = cv2.imencode('.png', image)[1].tobytes(), f'{split}-{number}'
            label, votes_kept = row.index(max(row)), row if keep_votes else None
            yield Example(name, name, None, None, label, split, data, votes_kept)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('voted')
    for name, (classes, votes) in {'voted': VOTED, 'plain': PLAIN_SITE}.items():
        dataset = Dataset(classes, (), list(rows_with(votes, name == 'voted')))
        bare = without_labels(dataset)
        for out, each in {name: dataset, f'bare_{name}': bare}.items():
            prepare(each, root / out, name=out, reader='csv', face_size=8, encoding='raw')
    return root


def examples_of(folder, *names, **options):
    parts = [open_part(site, 'train', 0.0) for site in open_sites(folder, names)]
    return Examples(parts, range(len(parts)), **{'soft_labels': True} | options)


@pytest.mark.parametrize('keep', [False, True])
def test_a_batch_has_the_shares_of_votes_in_the_classes_of_the_run(folder, keep):
    examples = examples_of(folder, 'voted', 'plain', keep=keep)
    numbers = np.array([5, 0, PADDING, 2, 3, 1, 4])
    for _ in range(2):  # the second time from memory
        batch = examples.batch(numbers)
        assert batch['soft_label'].dtype == np.float32
        expected = np.where((numbers < 0)[:, None], 0, np.array(SOFT)[numbers])
        np.testing.assert_allclose(batch['soft_label'], expected, rtol=1e-6)
    # The first of those with most votes.
    assert batch['label'].tolist() == [2, 0, 0, 3, 0, 1, 1]


def test_only_runs_with_votes_have_soft_labels(folder):
    numbers = np.arange(6)
    plain = examples_of(folder, 'voted', 'plain', soft_labels=False).batch(numbers)
    assert list(plain) == ['image', 'label', 'site', 'mask']
    for names, options in (
        (('voted', 'plain'), {'label_is_site': True}),
        (('plain', 'bare_voted'), {}),
    ):
        assert 'soft_label' not in examples_of(folder, *names, **options).batch(numbers)
    soft = examples_of(folder, 'voted', 'plain').batch(numbers)
    assert_same_bits({k: soft[k] for k in plain}, plain)
    # A row without a label has no share of any class.
    bare = examples_of(folder, 'voted', 'bare_plain').batch(numbers)
    np.testing.assert_array_equal(bare['soft_label'].any(axis=1), [True] * 4 + [False] * 2)


def test_processes_and_later_starts_read_the_same(folder):
    def read(first=0, **place):
        examples = examples_of(folder, 'voted', 'plain')
        options = {'seed': 3, 'first_step': first, 'total_steps': 6}
        batches = train_batches(examples, examples.sizes, Reading(4, 2, **place), **options)
        return [batch['soft_label'] for batch in batches]

    whole = read()
    assert_same_bits(read(first=2), whole[2:])
    halves = [read(process_index=index, process_count=2) for index in (0, 1)]
    assert_same_bits([np.concatenate(pair) for pair in zip(*halves, strict=True)], whole)


def test_a_record_with_other_votes_than_the_index_says_is_named(folder, tmp_path):
    shutil.copytree(folder / 'voted', tmp_path / 'voted')
    index = read_index(tmp_path / 'voted', 'train')
    for votes in (index.votes + np.float32([0, 0, 1]), None):
        write_index(tmp_path / 'voted', 'train', index._replace(votes=votes))
        with pytest.raises(InputError, match=r'record 1 \(train-1\) has other votes than the in'):
            examples_of(tmp_path, 'voted').batch(np.array([1]))


@pytest.mark.slow  # compiles two steps
def test_hit_rates_are_of_the_hard_label_on_any_number_of_devices():
    batch, results = make_batch(0), []
    shares = np.random.default_rng(1).dirichlet(np.ones(4), len(batch['mask']))
    for devices in (1, 4):
        state, step = mapped_step(make_recipe(), devices)
        results.append(step(state, batch | {'soft_label': np.float32(shares)})[1])
        if devices == 1:
            plain = step(state, batch)[1]
    for name, value in results[0].items():
        np.testing.assert_allclose(value, results[1][name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert plain['accuracy_emotion'] == results[0]['accuracy_emotion']
    assert abs(plain['loss_label'] - results[0]['loss_label']) > 1e-3


@pytest.mark.slow
def test_a_run_with_votes_trains_resumes_and_differs_from_one_without(data_dir, tmp_path):
    data = tmp_path / 'data'
    data.mkdir()
    (data / 'rafdb').symlink_to(data_dir / 'rafdb')
    names, rows = rows_of(data_dir / 'expw')
    classes = (*names, 'Contempt')
    votes = np.random.default_rng(0).integers(0, 3, (len(rows), len(classes)))
    votes += 4 * np.eye(len(classes), dtype=int)[[row.label for row in rows]]
    rows = [row._replace(votes=tuple(own)) for row, own in zip(rows, votes.tolist(), strict=True)]
    prepare(Dataset(classes, (), rows), data / 'voted', name='v', reader='csv', face_size=32)
    options = {'sites': ('rafdb', 'voted'), 'num_epochs': 1, 'mixup': 0.2}
    options |= {'pseudo_label': 'soft', 'validation_fraction': 0.2, 'checkpoint_every_steps': 5}
    config, run = small_config(data, 'cda_robust', **options), tmp_path / 'run'
    results = train(config, run)
    assert results.class_names == [*classes]
    assert list(results.test_sites) == ['rafdb', 'voted']

    weights = load_trained(run).weights
    shutil.rmtree(run / 'checkpoints' / str(results.step))
    (run / 'results.json').unlink()
    assert train(config, run) == results
    assert_same_bits(load_trained(run).weights, weights)

    hard = small_config(data, 'cda_robust', **options, soft_labels=False)
    for each, is_soft in ((config, True), (hard, False)):
        with contextlib.closing(open_batches(build_experiment(each), 0)) as batches:
            assert ('soft_label' in next(batches)) == is_soft
