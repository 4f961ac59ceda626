"""E, its terms and the gradients of equations 5 to 7, each computed apart from the others."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.coarse_pixels import CoarsePixels
from helpers.runs import assert_same_bits
from helpers.small_objective import (
    ADAPTIVE,
    CLASSES,
    LOSSES,
    PLAIN,
    ROWS,
    SITES,
    compute,
    features_of,
    make,
)

from cda_jax.losses.alignment import coral, means, mmd
from cda_jax.models.cda import pseudo_labels
from cda_jax.objective import Losses, loss_of_rows

adaptive = jax.jit(ADAPTIVE)


def separate_terms(model, variables, batch, keys):
    """L_e, L_2 and L_d written out without any reversal: their values and their gradients.

    Function of the parameters and of the power of a site's size.
    """
    labels = jax.nn.one_hot(batch['label'], CLASSES)
    sites = jax.nn.one_hot(batch['site'], SITES)
    total = batch['mask'].sum()
    bound = model.bind(variables)

    def terms(params, power):
        def part(module, name, *inputs):
            return module.clone(parent=None).apply({'params': params[name]}, *inputs)

        features = features_of(model, variables, batch, params['feature_extractor'])
        codes = part(bound.label_extractor, 'label_extractor', labels, keys)
        if model.pseudo_label == 'soft':
            codes = jax.nn.softmax(codes)
        emotion = 0
        for k in range(SITES):
            logits = part(bound.emotion_classifiers[k], f'emotion_classifiers_{k}', features)
            mine = batch['mask'] & (batch['site'] == k)
            error = ADAPTIVE(logits, pseudo_labels(codes, model.pseudo_label), mine)
            count = jnp.maximum(mine.sum(), 1)
            emotion += error.sum() / count * (count / total) ** power
        label = (((codes - labels) ** 2).sum(axis=1) * batch['mask']).sum() / total
        seen = jnp.concatenate([features, codes], axis=1)
        logits = part(bound.dataset_classifier, 'dataset_classifier', seen)
        dataset = ADAPTIVE(logits, sites, batch['mask']).sum() / total
        return jnp.stack([emotion, label, dataset])

    @jax.jit
    def values_and_gradients(params, power):
        values, pull_back = jax.vjp(lambda params: terms(params, power), params)
        return values, *(pull_back(direction)[0] for direction in jnp.eye(3))

    return lambda *inputs: jax.device_get(values_and_gradients(*inputs))


def assert_trees_close(a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), a, b)


@pytest.mark.parametrize('pseudo_label', ['hard', 'soft'])
def test_terms_add_up_and_gradients_are_those_of_equations_5_to_7(pseudo_label):
    model, variables, batch, keys = make(pseudo_label=pseudo_label)
    params, separate = variables['params'], separate_terms(model, variables, batch, keys)

    def less(gradient, strength, name):
        """The gradient of a part's own term, less strength times that of L_d."""
        return jax.tree.map(lambda g, d: g - strength * d, gradient[name], from_dataset[name])

    features = functools.partial(features_of, model, variables, batch)
    zeros = jnp.zeros((ROWS, 8))

    @jax.jit
    def value_and_gradient(power, lambda_1, lambda_2):
        losses = LOSSES._replace(site_size_power=power)
        share = compute(model, variables, batch, keys, losses=losses)
        share = functools.partial(share, lambda_1=lambda_1, lambda_2=lambda_2)
        perturbations = {'to_emotions': zeros, 'to_reversal': zeros}
        differentiate = jax.value_and_grad(
            lambda params, perturbations: share(params, perturbations=perturbations),
            argnums=(0, 1),
            has_aux=True,
        )
        value, (gradient, at_features) = differentiate(params, perturbations)
        _, pull_back = jax.vjp(features, params['feature_extractor'])
        return value, gradient, {way: pull_back(each)[0] for way, each in at_features.items()}

    lambdas = [(0.0, 0.0), (0.3, 0.7), (1.0, 0.2), (2.0, 1.0)]
    for power, (lambda_1, lambda_2) in itertools.product([1.0, 0.0, 0.4], lambdas):
        values, from_emotion, from_label, from_dataset = separate(params, power)
        of_objective = value_and_gradient(power, lambda_1, lambda_2)
        (total, (terms, outputs, changes)), got, ways = jax.device_get(of_objective)
        np.testing.assert_allclose(terms, [*values, 0], rtol=1e-5)
        np.testing.assert_allclose(total, sum(values), rtol=1e-5)
        expected = {
            'feature_extractor': less(from_emotion, lambda_1, 'feature_extractor'),  # equation 5
            'label_extractor': less(from_label, lambda_2, 'label_extractor'),  # equation 6
            'dataset_classifier': from_dataset['dataset_classifier'],  # equation 7
        } | {f'emotion_classifiers_{k}': from_emotion[f'emotion_classifiers_{k}'] for k in range(3)}
        assert_trees_close(got, expected)
        assert np.abs(from_dataset['label_extractor']['logits']['kernel']).max() > 1e-4
        # What is perturbed at the features has the gradient of one way alone.
        assert_trees_close(ways['to_emotions'], from_emotion['feature_extractor'])
        reversal = jax.tree.map(lambda d, k=lambda_1: -k * d, from_dataset['feature_extractor'])
        assert_trees_close(ways['to_reversal'], reversal)
    assert outputs.emotion_logits.shape == (SITES, ROWS, CLASSES)
    structure = jax.tree.structure(variables['batch_stats'])
    assert jax.tree.structure(changes['batch_stats']) == structure


def test_classes_count_the_same_in_the_loss_of_the_label_extractor_as_far_as_it_is_balanced():
    model, variables, batch, keys = make(pseudo_label='soft')
    batch['label'] = jnp.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2])  # and nowhere class 3
    batch['mask'] = jnp.arange(ROWS) < 11

    def loss_and_codes(balance):
        losses = LOSSES._replace(label_balance=balance)
        share = compute(model, variables, batch, keys, losses=losses)
        _, (terms, outputs, _) = share(variables['params'])
        return terms.label, np.asarray(outputs.label_codes)

    _, codes = loss_and_codes(0.0)
    distances = ((codes - np.eye(CLASSES)[batch['label']]) ** 2).sum(axis=1)
    of_samples = distances[:11].mean()
    of_classes = np.mean([distances[:7].mean(), distances[7:9].mean(), distances[9:11].mean()])
    assert abs(of_classes - of_samples) > 0.01
    for balance in (0.0, 0.25, 1.0):
        expected = (1 - balance) * of_samples + balance * of_classes
        np.testing.assert_allclose(loss_and_codes(balance)[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ('site_heads', 'common', 'power', 'shared'),
    [
        *[(SITES, False, 1.0, 0.0), (SITES, False, 0.0, 0.0), (0, True, 1.0, 0.0)],
        *[(SITES, True, 1.0, 0.0), (SITES, True, 0.0, 0.0)],
        *[(SITES, True, 1.0, 1.0), (SITES, True, 0.0, 1.0), (SITES, True, 0.4, 0.3)],
    ],
)
def test_each_head_learns_from_its_own_samples_in_its_own_or_shared_statistics(
    site_heads, common, power, shared
):
    parts = {'num_site_heads': site_heads, 'common_head': common, 'alignment': 'none'}
    model, variables, batch, keys = make(**parts, pseudo_label='none')
    losses = Losses([ADAPTIVE] * model.num_heads, PLAIN, ADAPTIVE, power, shared)

    @jax.jit
    def run(site):
        share = compute(model, variables, batch | {'site': site}, keys, losses=losses)
        return share(variables['params'])

    targets = np.eye(CLASSES, dtype=np.float32)[batch['label']]
    mask = np.array(batch['mask'])
    for sites_there in (2, 3):
        site, expected = np.array(batch['site']) % sites_there, 0.0
        total, (terms, outputs, _) = jax.device_get(run(site))
        judged = outputs.emotion_logits[site if site_heads else 0, np.arange(ROWS)]
        of_all = adaptive(judged, targets, mask)
        for head, logits in enumerate(outputs.emotion_logits):
            is_common = head >= site_heads
            own = mask & (is_common | (site == head))
            errors = adaptive(logits, targets, own)
            if not is_common:
                errors = (1 - shared) * errors + shared * of_all
            if own.any():
                expected += errors[own].mean() * (own.sum() / mask.sum()) ** power
        np.testing.assert_allclose(terms.emotion, expected, rtol=1e-5)
        assert (*terms[1:], total) == (0, 0, 0, terms.emotion)


def ignores_mask(logits, targets, mask, **context):
    """A loss of one's own, which knows nothing of masks and bears no NaN."""
    return -(targets * jax.nn.log_softmax(logits)).sum(axis=-1)


@pytest.mark.parametrize('shared', [0.0, 1.0])
def test_a_loss_that_ignores_its_mask_trains_no_other_sites_classifier(shared):
    model, variables, batch, keys = make()
    params = variables['params']

    def value_and_gradient(loss):
        losses = Losses([loss] * SITES, loss, loss, shared_statistics=shared)
        share = compute(model, variables, batch, keys, losses=losses)
        return jax.jit(jax.value_and_grad(lambda p: share(p)[0]))(params)

    assert_trees_close(value_and_gradient(ignores_mask), value_and_gradient(PLAIN))
    # A row outside the mask may hold anything.
    logits = jnp.array([[1.0, 2.0], [jnp.nan, jnp.inf]])
    targets, mask = jnp.array([[0.0, 1.0], [jnp.nan, 1.0]]), jnp.array([True, False])
    gradient = jax.grad(lambda x: loss_of_rows(ignores_mask, x, targets, mask).sum())(logits)
    np.testing.assert_array_equal(gradient[1], 0)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ('pseudo_label', 'one_hot', 'smoothing'),
    [('soft', False, 0.0), ('none', False, 0.3), ('none', True, 0.3)],
)
def test_labels_and_sites_may_be_soft_while_the_site_itself_names_the_head(
    pseudo_label, one_hot, smoothing
):
    model, variables, batch, keys = make(pseudo_label=pseudo_label)
    losses = Losses([PLAIN] * SITES, PLAIN, site_smoothing=smoothing)
    run = jax.jit(
        lambda batch: compute(model, variables, batch, keys, losses=losses)(variables['params'])
    )
    rng = np.random.default_rng(1)
    label, site = rng.dirichlet(np.ones(CLASSES), ROWS), rng.dirichlet(np.ones(SITES), ROWS)
    if one_hot:
        label, site = np.eye(CLASSES)[batch['label']], np.eye(SITES)[batch['site']]
    found = run(batch | {'soft_label': jnp.float32(label), 'soft_site': jnp.float32(site)})
    _, (terms, outputs, _) = found
    own = outputs.emotion_logits[batch['site'], jnp.arange(ROWS)]
    log_p, log_d = (
        np.array(jax.nn.log_softmax(logits), np.float64) for logits in (own, outputs.dataset_logits)
    )
    codes, mask = np.array(outputs.label_codes, np.float64), np.array(batch['mask'])
    site = (1 - smoothing) * site + smoothing / SITES
    errors = -(codes * log_p).sum(1), ((codes - label) ** 2).sum(1), -(site * log_d).sum(1)
    np.testing.assert_allclose(terms[:3], [x[mask].mean() for x in errors], rtol=1e-5, atol=1e-7)
    if pseudo_label == 'none':
        np.testing.assert_array_equal(codes, np.float32(label))  # what d sees
    if one_hot:
        assert_same_bits(found, run(batch))


@pytest.mark.parametrize(
    ('distance', 'alignment'), [(means, 'adversary'), (coral, 'none'), (mmd, 'none')]
)
def test_a_distance_counts_beside_the_dataset_classifier_or_without(distance, alignment):
    model, variables, batch, keys = make(alignment=alignment)
    losses = LOSSES._replace(site_distance=distance.__name__)

    @functools.partial(jax.jit, static_argnums=0)
    def run(weight):
        of_weight = losses._replace(site_distance_weight=weight)
        share = compute(model, variables, batch, keys, losses=of_weight)  # lambda_1 is 0.3
        return jax.value_and_grad(share, has_aux=True)(variables['params'])

    def alone(extractor):
        features = features_of(model, variables, batch, extractor)
        return distance(features, batch['site'], batch['mask'], SITES)

    extractor = variables['params']['feature_extractor']
    expected, of_distance = jax.jit(jax.value_and_grad(alone))(extractor)
    (total, (terms, _, _)), got = run(10.0)
    (less, _), without = run(0.0)
    np.testing.assert_allclose([terms.distance, total - less], [3 * expected] * 2, rtol=1e-4)
    both = jax.tree.map(lambda g, d: g + 3 * d, without['feature_extractor'], of_distance)
    assert_trees_close(got, without | {'feature_extractor': both})


@pytest.mark.parametrize(
    ('alignment', 'distance', 'power', 'unlabelled'),
    [
        ('adversary', 'none', 1, False),
        ('adversary', 'means', 0, False),
        ('adversary', 'none', 0.3, True),
        ('conditional_adversary', 'none', 1, False),
        ('conditional_adversary', 'means', 0.3, True),
        ('none', 'coral', 1, False),
        ('none', 'mmd', 1, False),
    ],
)
def test_shares_over_an_axis_sum_to_the_whole(alignment, distance, power, unlabelled):
    every = tuple(range(CLASSES))
    classes = (every, (), every) if unlabelled else ()
    alone, variables, batch, keys = make(alignment=alignment, site_classes=classes)
    if unlabelled:
        batch['label'] = jnp.where(batch['site'] == 1, -1, batch['label'])
    mapped = alone.clone(feature_extractor=CoarsePixels(axis_name='data'))
    losses = LOSSES._replace(site_size_power=power, site_distance=distance)
    options = {'losses': losses, 'lambdas': (3.0, 0.7)}

    def share_and_gradient(batch, keys):
        share = compute(mapped, variables, batch, keys, axis_name='data', **options)
        return jax.lax.psum(jax.value_and_grad(lambda p: share(p)[0])(variables['params']), 'data')

    whole = compute(alone, variables, batch, keys, **options)
    value, gradient = jax.jit(jax.value_and_grad(lambda p: whole(p)[0]))(variables['params'])
    split = jax.tree.map(lambda x: x.reshape(4, ROWS // 4, *x.shape[1:]), (batch, keys))
    values, gradients = jax.jit(jax.vmap(share_and_gradient, axis_name='data'))(*split)
    np.testing.assert_allclose(values, np.full(4, value), rtol=1e-5)
    assert_trees_close(jax.tree.map(lambda x: x[1], gradients), gradient)
