"""Sites without labels: no part in L_e and L_2, and predictions in the place of labels before d."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.coloured_photos import make_rows, prepare_toys
from helpers.metrics import position_of_two_sites
from helpers.other_classes import rows_of
from helpers.programs import small_config
from helpers.small_objective import CLASSES, PLAIN, ROWS, SITES, compute, make

from cda_jax.analysis.health import Setup
from cda_jax.config import load_config, read_config
from cda_jax.data.manifest import read_index
from cda_jax.errors import InputError
from cda_jax.evaluate import evaluate
from cda_jax.objective import Losses
from cda_jax.prepare.dataset import Dataset, without_labels
from cda_jax.prepare.run import prepare
from cda_jax.train import train
from cda_jax.trained import config_of_run, load_trained

close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7)
ALL = tuple(range(CLASSES))
LOSSES = Losses([PLAIN] * SITES, PLAIN)


def small(**options):
    """The small network and batch, of whose sites the second is unlabelled."""
    model, variables, batch, keys = make(site_classes=(ALL, (), ALL), **options)
    assert 0 < ((batch['site'] == 1) & batch['mask']).sum() < batch['mask'].sum()
    batch['label'] = jnp.where(batch['site'] == 1, -1, batch['label'])
    return model, variables, batch, keys


def run(model, variables, batch, keys, losses=LOSSES, lambdas=(0.0, 0.0), **options):
    share = compute(model, variables, batch, keys, losses=losses, lambdas=lambdas, **options)
    return jax.jit(jax.value_and_grad(share, has_aux=True))(variables['params'])


@pytest.mark.parametrize('losses', [LOSSES, Losses([PLAIN] * SITES, PLAIN, PLAIN, 0.3, 0.4)])
def test_l_e_and_l_2_are_those_of_the_labelled_samples_alone(losses):
    model, variables, batch, keys = small()
    (_, (terms, outputs, _)), gradient = run(model, variables, batch, keys, losses)
    alone = model.clone(site_classes=())
    masked = batch | {'label': abs(batch['label']), 'mask': batch['mask'] & (batch['site'] != 1)}
    (_, (expected, _, _)), of_labelled = run(alone, variables, masked, keys, losses)
    close(terms[:2], expected[:2])
    for name in ('emotion_classifiers_0', 'emotion_classifiers_2', 'label_extractor'):
        jax.tree.map(close, gradient[name], of_labelled[name])
        assert any(np.abs(leaf).max() > 1e-4 for leaf in jax.tree.leaves(gradient[name]))
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient['emotion_classifiers_1']))
    # L_d is of all samples.
    log_d = np.array(jax.nn.log_softmax(outputs.dataset_logits), np.float64)
    error = -log_d[np.arange(ROWS), batch['site']][np.array(batch['mask'])].mean()
    close(terms.dataset, error)


@pytest.mark.parametrize(('pseudo_label', 'shared'), [('none', True), ('soft', False)])
def test_d_sees_the_mean_of_the_labelled_heads_in_the_place_of_a_label(pseudo_label, shared):
    heads = {'num_site_heads': 0, 'common_head': True} if shared else {}
    model, variables, batch, keys = small(pseudo_label=pseudo_label, **heads)
    losses = Losses([PLAIN] * model.num_heads, PLAIN)
    (_, (_, outputs, _)), gradient = run(model, variables, batch, keys, losses, (0.7, 0.7))
    probabilities = np.array(jax.nn.softmax(outputs.emotion_logits))
    mean = probabilities[0] if shared else (probabilities[0] + probabilities[2]) / 2
    labels = np.where(batch['label'][:, None] < 0, mean, np.eye(CLASSES)[batch['label']])
    if pseudo_label == 'soft':
        bound = model.bind(variables)
        labels = jax.nn.softmax(bound.label_extractor(jnp.float32(labels), keys))
    np.testing.assert_allclose(outputs.label_codes, labels, rtol=1e-5)
    # No gradient of L_d reaches the classifiers through the prediction.
    without_d = losses._replace(dataset=lambda logits, *_, **__: 0 * logits[:, 0])
    _, of_emotions = run(model, variables, batch, keys, without_d, (0.7, 0.7))
    for name in (name for name in gradient if name.startswith('emotion')):
        jax.tree.map(close, gradient[name], of_emotions[name])


def test_labels_are_left_out_when_a_dataset_is_prepared(tmp_path):
    rows = make_rows(tmp_path / 'photos', num_train=6, num_test=3)
    assert not prepare_toys(tmp_path / 'labelled', rows).unlabelled
    options = {'name': 'bare', 'reader': 'csv', 'face_size': 32}
    dataset = without_labels(Dataset(('red', 'green', 'blue'), (), rows))
    manifest = prepare(dataset, tmp_path / 'bare', **options)
    assert manifest.unlabelled
    train, test = (manifest.splits[split] for split in ('train', 'test'))
    assert (train.num_examples, train.class_counts, test.class_counts) == (6, (0,) * 3, (1,) * 3)
    assert set(read_index(tmp_path / 'bare', 'train').label) == {-1}
    # Then no class and no test set is needed.
    bare = [row._replace(label=-1) for row in rows[:6]]
    none = prepare(Dataset((), (), bare), tmp_path / 'none', **options)
    assert none.unlabelled
    assert none.splits['test'].num_examples == 0
    with pytest.raises(InputError, match='expected a label in all train rows or in none'):
        prepare_toys(tmp_path / 'mixed', [*bare[:3], *rows[3:]])
    with pytest.raises(InputError, match='label -1: expected 0 to 2'):
        prepare_toys(tmp_path / 'test', [*rows[:8], rows[8]._replace(label=-1)])


@pytest.mark.slow
def test_a_run_with_unlabelled_sites(data_dir, tmp_path, capsys):
    data = tmp_path / 'data'
    data.mkdir()
    (data / 'rafdb').symlink_to(data_dir / 'rafdb')
    names, rows = rows_of(data_dir / 'expw')
    target = without_labels(Dataset(names, (), rows))
    bare = Dataset((), (), [row._replace(label=-1) for row in rows if row.split == 'train'])
    for name, dataset in {'target': target, 'bare': bare}.items():
        prepare(dataset, data / name, name=name, reader='csv', face_size=32)
    sites = {'sites': ('rafdb', 'target', 'bare'), 'site_weights': ()}
    options = sites | {'shared_head': False, 'num_epochs': 1, 'validation_fraction': 0.2}
    run = tmp_path / 'run'
    results = train(small_config(data, 'unlabelled_target', **options), run)
    said = capsys.readouterr().out
    assert 'target has no labels' in said
    assert 'accuracy_rafdb' in said  # of validation, where there are labels
    heads = {site: list(heads) for site, heads in results.test_sites.items()}
    assert heads == {'rafdb': ['own', 'mean'], 'target': ['mean']}
    rafdb = results.test_sites['rafdb']
    assert rafdb['own'] == rafdb['mean']  # the only one that knows anything
    assert load_trained(run).model.unlabelled == [1, 2]
    assert evaluate(config_of_run(run), run) == results
    assert list(evaluate(config_of_run(run), run, 'validation').test_sites) == ['rafdb']

    for fields, message in (
        ({'sites': ('bare', 'target')}, 'bare: has no labels, like all sites'),
        (sites | {'group_dro': 0.1}, 'target: has no labels, which config field group_dro needs'),
        (sites | {'mixup': 0.1, 'pseudo_label': 'none'}, "field mixup within a 'batch' needs"),
    ):
        with pytest.raises(InputError, match=message):
            train(small_config(data, **fields), tmp_path / 'second')


def test_an_unlabelled_site_has_no_share_of_what_is_judged():
    training = position_of_two_sites([[5, 5], [0, 0]], site_classes=[[0, 1], []])
    config = read_config(load_config('cda').to_dict() | {'batch_size': 64, 'sites': ('a', 'b')})
    setup = Setup.of_run(config, training)
    assert setup.batch_size == 48
    assert list(setup.site_shares.values()) == [1, 0]
    assert list(setup.head_shares.values()) == [0.5]
