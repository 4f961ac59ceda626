"""Sites of different classes: what a site has not takes no part in its classifier."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.oracles import oracle_loss, oracle_weights
from helpers.other_classes import CK, FER, with_classes
from helpers.programs import small_config
from helpers.small_objective import ADAPTIVE, CLASSES, PLAIN, ROWS, SITES, compute, make

import cda_jax.losses
from cda_jax.errors import InputError
from cda_jax.evaluate import evaluate
from cda_jax.losses import adjust_logits, find_loss
from cda_jax.models.cda import ABSENT, Outputs, own_logits
from cda_jax.objective import Losses, emotion_errors, head_columns, head_masks
from cda_jax.runtime.results import format_results
from cda_jax.train import train
from cda_jax.trained import config_of_run, load_trained

SITE_CLASSES = (0, 1, 2, 3), (0, 2), (1, 2, 3)
ARE_IN = np.array([[label in own for label in range(CLASSES)] for own in SITE_CLASSES])
COUNTS = [np.array([5.0, 3, 0, 9]), np.array([4.0, 0, 8, 0]), np.array([0.0, 2, 6, 5])]
NO_LOSSES = {'adaptive_weights', 'adjust_logits', 'effective_number_weights', 'find_loss'}
close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


@functools.cache
def small(**options):
    model, variables, batch, keys = make(site_classes=SITE_CLASSES, **options)
    own = [SITE_CLASSES[site] for site in np.array(batch['site'])]
    label = [classes[number % len(classes)] for number, classes in enumerate(own)]
    return model, variables, batch | {'label': jnp.array(label)}, keys


def outputs_of(model, logits, codes):
    """Outputs with these logits, as the network masks them."""
    answers = np.array(model.classes_of_heads)[:, None]
    return Outputs(None, jnp.where(answers, jnp.float32(logits), ABSENT), jnp.array(codes), None)


def errors_on_four_members(model, losses, outputs, batch):
    """The errors [B], each member of an axis having its share of the rows."""

    def share(logits, codes, batch):
        outputs = Outputs(None, jnp.swapaxes(logits, 0, 1), codes, None)
        context = {'axis_name': 'data', 'progress': 1.0}
        return emotion_errors(outputs, batch, model, losses, **context)[0].sum(axis=0)

    rows = jnp.swapaxes(outputs.emotion_logits, 0, 1), outputs.label_codes, batch
    shares = jax.tree.map(lambda x: x.reshape(4, -1, *x.shape[1:]), rows)
    return jax.jit(jax.vmap(share, axis_name='data'))(*shares).ravel()


def oracle(logits, targets, mask):
    return oracle_loss(logits, targets, mask, oracle_weights(logits, targets, mask, 1.0))


@pytest.mark.parametrize(('pseudo_label', 'shared'), [('hard', 0.0), ('none', 0.0), ('none', 1.0)])
def test_a_classifiers_loss_knows_the_classes_of_its_site_alone(pseudo_label, shared):
    model, _, batch, _ = small(pseudo_label=pseudo_label)
    rng = np.random.default_rng(3)
    logits, codes = rng.normal(size=(SITES, ROWS, CLASSES)), np.eye(CLASSES)[batch['label']]
    if pseudo_label == 'hard':  # which may be of a class that the site has not
        codes = rng.normal(size=(ROWS, CLASSES))
    outputs = outputs_of(model, logits, codes)
    losses = Losses([ADAPTIVE] * SITES, None, ADAPTIVE, 1.0, shared)
    errors = errors_on_four_members(model, losses, outputs, batch)
    site, mask = np.array(batch['site']), np.array(batch['mask'])
    if shared:  # statistics of all sites count each sample among its own classes
        judged = np.array(outputs.emotion_logits)[site, np.arange(ROWS)]
        expected = oracle(judged, codes, mask)
    else:
        expected = 0
        for k, own in enumerate(map(list, SITE_CLASSES)):
            targets = np.eye(len(own))[codes[:, own].argmax(axis=1)]
            expected += oracle(np.float32(logits)[k][:, own], targets, mask & (site == k))
    close(errors, expected)


@pytest.mark.parametrize('name', sorted(set(cda_jax.losses.__all__) - NO_LOSSES))
def test_every_loss_is_finite_and_leaves_other_classes_alone(name):
    model, _, batch, _ = small(pseudo_label='none', common_head=True)
    counts = [*COUNTS, sum(COUNTS)]
    heads = zip(counts, head_columns(model), strict=True)
    emotion = [find_loss(name, {}, class_counts=own[columns]) for own, columns in heads]
    of_all = find_loss(name, {}, class_counts=counts[-1])
    losses = Losses(emotion, None, of_all, shared_statistics=0.5)

    def total(logits):
        outputs = outputs_of(model, logits, jax.nn.one_hot(batch['label'], CLASSES))
        return emotion_errors(outputs, batch, model, losses, axis_name=None, progress=1.0)[0].sum()

    logits = np.random.default_rng(5).normal(size=(SITES + 1, ROWS, CLASSES))
    value, gradient = jax.jit(jax.value_and_grad(total))(jnp.float32(logits))
    assert 0 < value < 1e4
    assert np.isfinite(gradient).all()
    assert not gradient[:SITES][~ARE_IN[:, None].repeat(ROWS, axis=1)].any()
    own = np.array(head_masks(batch, model))[:, :, None] * np.array(model.classes_of_heads)[:, None]
    assert (np.abs(gradient) * own).sum() > 0


def test_the_mean_of_the_sites_is_over_those_that_have_the_class():
    model, *_ = small(common_head=True)
    probabilities = np.array(
        [[0.4, 0.3, 0.2, 0.1], [0.8, 0, 0.2, 0], [0, 0.5, 0.2, 0.3], [1, 0, 0, 0]]
    )
    means = np.array([(0.4 + 0.8) / 2, (0.3 + 0.5) / 2, 0.2, (0.1 + 0.3) / 2])
    close(model.mean_of_sites(jnp.array(probabilities)[:, None])[0], means / means.sum())


@pytest.mark.parametrize('alignment', ['adversary', 'conditional_adversary'])
def test_a_network_names_no_class_that_the_site_has_not(alignment):
    model, variables, batch, keys = small(alignment=alignment, common_head=True)
    losses = Losses([PLAIN] * (SITES + 1), PLAIN, PLAIN, 1.0, 0.3)
    share = compute(model, variables, batch, keys, losses=losses)
    run = jax.jit(jax.value_and_grad(share, has_aux=True))
    (value, (_, outputs, _)), gradient = run(variables['params'])
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    others = ~ARE_IN[:, None].repeat(ROWS, axis=1)
    assert not jax.nn.softmax(outputs.emotion_logits)[:SITES][others].any()
    own = own_logits(outputs.emotion_logits, batch['site'], SITES)
    assert ARE_IN[batch['site'], own.argmax(axis=1)].all()
    for head, answers in enumerate(ARE_IN):
        layer = gradient[f'emotion_classifiers_{head}']['logits']
        assert not layer['kernel'][:, ~answers].any()
        assert np.abs(layer['kernel'][:, answers]).sum() > 0
    # After an adjustment by the counts of its own data as well.
    adjusted = jax.vmap(adjust_logits)(outputs.emotion_logits[:SITES], np.array(COUNTS))
    assert not jax.nn.softmax(adjusted)[others].any()


@pytest.mark.slow
def test_three_sites_with_eight_classes_train_together(data_dir, tmp_path, capsys):
    data = tmp_path / 'data'
    data.mkdir()
    (data / 'rafdb').symlink_to(data_dir / 'rafdb')
    with_classes(data_dir / 'expw', data / 'fer', FER)
    with_classes(data_dir / 'affectnet', data / 'ck', CK, Neutral='Contempt')
    with_classes(data_dir / 'affectnet', data / 'new', ('Anger', 'Calm'), Neutral='Calm')
    names = 'rafdb', 'fer', 'ck'
    options = {'sites': names, 'num_epochs': 1, 'validation_fraction': 0.2}
    run = tmp_path / 'run'
    results = train(small_config(data, 'cda_robust', **options), run)
    assert 'rafdb has no Contempt' in capsys.readouterr().out
    assert results.class_names == [*CK[:6], 'Neutral', 'Contempt']
    for site, absent in zip(names, (7, 7, 6), strict=True):
        own = results.test_sites[site]['own']
        assert own.recall[absent] is own.precision[absent] is None
        assert not np.array(own.confusion)[:, absent].any()
    rows = [line.split() for line in format_results(results).splitlines()]
    _, *shares = (row[-1] for row in rows if row[:2] == ['rafdb', 'own'])
    assert shares == ['-', '-']  # recall and precision of contempt
    assert np.isfinite(results.average.macro_f1)

    # The checkpoint knows which classifier answers for what.
    assert load_trained(run).model.site_classes[2] == (0, 1, 2, 3, 4, 5, 7)
    assert evaluate(config_of_run(run), run) == results
    other = evaluate(config_of_run(run, test_sites=('new',)), run)
    said = capsys.readouterr().err
    assert f'{data}/new: examples of Calm are left out, because no site of the training' in said
    recall = other.test_sites['new']['common'].recall
    assert [share is None for share in recall] == [name != 'Anger' for name in other.class_names]

    with_classes(data_dir / 'expw', data / 'alien', ('happy', 'sad'), Fear='sad', Anger='happy')
    with pytest.raises(InputError, match=r'alien/manifest\.json: class_names is .*none of which'):
        train(small_config(data, sites=('rafdb', 'alien')), tmp_path / 'second')
    smooth = {'emotion_loss': 'cross_entropy', 'emotion_loss_args': {'label_smoothing': 0.1}}
    with pytest.raises(InputError, match=r'shared_statistics is 0\.5 beside label_smoothing'):
        train(small_config(data, 'cda_robust', **options | smooth), tmp_path / 'second')
