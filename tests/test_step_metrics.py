"""Metrics held against NumPy on one and on four members of a mapped axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.three_steps import make_recipe

from cda_jax.models.cda import Outputs
from cda_jax.objective import with_labels
from cda_jax.step_metrics import adversary_metrics, gradient_shares, hit_rates

SITES = 'u', 'v', 'w', 'absent'
N = 16
rng = np.random.default_rng(0)
LABEL, SITE = rng.integers(0, 4, N), rng.choice(3, N, p=[0.6, 0.3, 0.1])
MASK = rng.random(N) < 0.8
BATCH = {'label': np.int32(LABEL), 'site': np.int32(SITE), 'mask': MASK}


def on(members, function, *arrays):
    """What the first of so many members of an axis gets, each having its share of the rows."""
    shares = jax.tree.map(lambda x: x.reshape(members, -1, *x.shape[1:]), arrays)
    results = jax.jit(jax.vmap(function, axis_name='data'))(*shares)
    for each in results.values():
        np.testing.assert_array_equal(each, np.broadcast_to(each[0], each.shape))
    return {name: float(each[0]) for name, each in results.items()}


@pytest.mark.parametrize(('members', 'scale'), [(1, 1), (4, 1), (4, 0)])
def test_what_the_gradient_at_the_features_is_made_of(members, scale):
    rng = np.random.default_rng(1)
    gradient = scale * rng.normal(size=(2, N, 8)) * np.exp(rng.normal(size=(N, 1))) * MASK[:, None]

    def metrics(to_emotions, to_reversal, batch):
        ways = {'to_emotions': to_emotions, 'to_reversal': to_reversal}
        outputs = Outputs(None, None, None, jnp.zeros((len(batch['site']), len(SITES))))
        ratio = adversary_metrics(outputs, batch, ways, 'data')['reversed_gradient_ratio']
        return gradient_shares(to_emotions, batch, SITES, 'data') | {'ratio': ratio}

    norms, others = np.linalg.norm(gradient, axis=2)
    total = norms.sum() or 1  # where no sample has a gradient no site has a share
    expected = {
        f'gradient_share_{name}': norms[site == SITE].sum() / total
        for site, name in enumerate(SITES)
    }
    expected['largest_gradient_share'] = norms.max() / total
    expected['ratio'] = np.linalg.norm(others) / (np.linalg.norm(norms) or 1)
    assert on(members, metrics, *np.float32(gradient), BATCH) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('dead', [False, True])
@pytest.mark.parametrize('members', [1, 4])
def test_what_the_dataset_classifier_tells_apart(members, dead):
    logits = np.random.default_rng(2).normal(size=(N, len(SITES)))
    named = np.full(N, 1) if dead else logits.argmax(axis=1)
    logits[np.arange(N), named] += 9

    def metrics(logits, batch):
        outputs, ones = Outputs(None, None, None, logits), jnp.ones((len(logits), 1))
        gradients = {'to_emotions': ones, 'to_reversal': 2 * ones}
        return adversary_metrics(outputs, batch, gradients, 'data')

    hits = named[MASK] == SITE[MASK]
    expected = {
        'accuracy_dataset': hits.mean(),
        'balanced_accuracy_dataset': np.mean(
            [hits[SITE[MASK] == site].mean() for site in range(3)]
        ),
        'largest_share_dataset': np.bincount(named[MASK]).max() / MASK.sum(),
        'reversed_gradient_ratio': 2,
    }
    assert on(members, metrics, np.float32(logits), BATCH) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('members', [1, 4])
@pytest.mark.parametrize(
    ('site_heads', 'common', 'labelled'),
    [(4, False, 'uvw'), (4, True, 'uvw'), (0, True, 'uvw'), (4, False, 'uw')],
)
def test_hits_are_counted_of_labels_by_each_sites_own_classifier(
    members, site_heads, common, labelled
):
    rng = np.random.default_rng(2)
    logits, codes = rng.normal(size=(N, site_heads + common, 4)), rng.normal(size=(N, 4))
    every = tuple(range(4))
    classes = every, every if 'v' in labelled else (), every, every
    heads = {'num_site_heads': site_heads, 'common_head': common}
    model = make_recipe().model.clone(num_sites=4, site_classes=classes, **heads)
    label = np.int32(np.where(np.isin(SITE, model.unlabelled), -1, LABEL))

    def metrics(logits, codes, batch):
        outputs = Outputs(None, jnp.swapaxes(logits, 0, 1), codes, None)
        return hit_rates(outputs, with_labels(batch, model), model, SITES, 'data')

    head, known = SITE if site_heads else np.zeros(N, int), MASK & (label >= 0)
    hits = np.argmax(logits[np.arange(N), head], axis=1) == label
    expected = {
        f'accuracy_{name}': hits[known & (site == SITE)].mean()
        for site, name in enumerate(SITES)
        if name in labelled
    }
    expected |= {'accuracy_absent': np.nan, 'accuracy_emotion': hits[known].mean()}
    kept = codes.argmax(axis=1) == label
    expected['pseudo_label_agreement'] = kept[known].mean()
    of_classes = [kept[known & (label == each)].mean() for each in set(label[known])]
    expected['least_pseudo_label_agreement'] = min(of_classes)
    found = on(members, metrics, *map(np.float32, (logits, codes)), BATCH | {'label': label})
    assert found == pytest.approx(expected, rel=1e-6, nan_ok=True)
