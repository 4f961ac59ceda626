"""Transition matrices in float64, alone and in the objective."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.coarse_pixels import CoarsePixels
from helpers.small_objective import CLASSES, PLAIN, ROWS, SITES, compute, make

from cda_jax.models.transition import near_identity, site_log_probabilities
from cda_jax.objective import Losses

LATENT = SITES  # the head after the sites' own


def softmax(x):
    scaled = np.exp(np.float64(x) - np.max(x, axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


def test_a_sites_prediction_is_the_latent_one_times_its_matrix():
    rng = np.random.default_rng(0)
    latent = jnp.float32(rng.normal(size=(ROWS, CLASSES)))
    transitions = jnp.float32(rng.normal(size=(SITES, CLASSES, CLASSES)))
    got = np.exp(site_log_probabilities(latent, transitions))
    np.testing.assert_allclose(got, softmax(latent) @ softmax(transitions), rtol=1e-5)
    assert np.isfinite(site_log_probabilities(latent * 1e4, transitions * 1e4)).all()
    # The first matrices are near the identity.
    first = softmax(near_identity(jax.random.key(0), SITES, CLASSES))
    np.testing.assert_allclose(first[1], 0.9 * np.eye(4) + 0.1 / 3 * (1 - np.eye(4)), rtol=1e-6)


@pytest.mark.parametrize('devices', [1, 4])
def test_each_site_is_judged_through_its_own_matrix_and_the_latent_class_not_at_all(devices):
    parts = {'transition_matrices': True, 'common_head': True}
    model, variables, batch, keys = make(**parts, pseudo_label='none', alignment='none')
    mapped = model.clone(feature_extractor=CoarsePixels(axis_name='data'))
    batch['site'] %= 2  # the third is absent
    rng = np.random.default_rng(1)
    transitions = np.float32(rng.normal(size=(SITES, CLASSES, CLASSES)))
    losses = Losses([PLAIN] * (SITES + 1), PLAIN)

    def run(batch, keys):
        share = compute(mapped, variables, batch, keys, losses=losses, axis_name='data')
        share = jax.value_and_grad(share, has_aux=True)
        (value, (_, outputs, _)), gradient = share(
            variables['params'] | {'transitions': transitions}
        )
        return jax.lax.psum((value, gradient), 'data'), outputs.emotion_logits

    split = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), (batch, keys))
    (values, gradients), logits = jax.jit(jax.vmap(run, axis_name='data'))(*split)
    logits = np.moveaxis(logits, 0, 1).reshape(SITES + 1, ROWS, CLASSES)
    latent, matrices = softmax(logits[LATENT]), softmax(transitions)
    np.testing.assert_allclose(softmax(logits[:SITES]), latent @ matrices, rtol=1e-5)

    # Of a row with latent probabilities p, with the label y: d -log(p T)_y.
    value, expected = 0.0, np.zeros_like(matrices)
    rows = np.flatnonzero(batch['mask'])
    for p, k, y in zip(latent[rows], batch['site'][rows], batch['label'][rows], strict=True):
        said = p @ matrices[k][:, y]
        value -= np.log(said) / len(rows)
        posterior = p * matrices[k][:, y] / said
        expected[k] -= posterior[:, None] * (np.eye(CLASSES)[y] - matrices[k]) / len(rows)
    np.testing.assert_allclose(values, value, rtol=1e-5)
    np.testing.assert_allclose(gradients['transitions'][0], expected, rtol=1e-4, atol=1e-6)
    assert np.abs(gradients['emotion_classifiers_0']['logits']['kernel']).max() > 1e-3
