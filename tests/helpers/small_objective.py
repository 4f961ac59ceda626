"""The objective of a tiny network on one random batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from helpers.coarse_pixels import CoarsePixels
from helpers.weights import draw_weights

from cda_jax.losses import find_loss
from cda_jax.models import CDA
from cda_jax.objective import Losses, objective

CLASSES, SITES, ROWS = 4, 3, 12
ADAPTIVE, PLAIN = find_loss('adaptive_cross_entropy', {}), find_loss('cross_entropy', {})
LOSSES = Losses([ADAPTIVE] * SITES, ADAPTIVE)


@functools.cache
def network(**options):
    options = {'num_site_heads': SITES, 'common_head': False, 'num_sites': SITES} | options
    widths = {'classifier_widths': (6,), 'label_extractor_widths': (6, 5)}
    model = CDA(CoarsePixels(), num_classes=CLASSES, **widths, **options)
    keys, images = jax.random.split(jax.random.key(1), ROWS), jnp.zeros((ROWS, 32, 32, 3))
    labels, sites = jnp.zeros((ROWS, CLASSES)), jnp.zeros(ROWS, int)
    return model, draw_weights(model.init, images, labels, 0.0, 0.0, keys, sites), keys


def make(**options):
    model, variables, keys = network(**options)
    rng = np.random.default_rng(0)
    batch = {
        'image': jnp.asarray(rng.normal(size=(ROWS, 32, 32, 3)), jnp.float32),
        'label': jnp.asarray(rng.integers(0, CLASSES, ROWS)),
        'site': jnp.asarray(rng.integers(0, SITES, ROWS)),
        'mask': jnp.asarray(rng.random(ROWS) < 0.8),
    }
    return model, variables, batch, keys


def compute(model, variables, batch, keys, *, lambdas=(0.3, 0.7), losses=LOSSES, **options):
    """E as a function of the parameters."""
    return functools.partial(
        objective,
        batch_stats=variables['batch_stats'],
        batch=batch,
        model=model,
        losses=losses,
        lambda_1=jnp.float32(lambdas[0]),
        lambda_2=jnp.float32(lambdas[1]),
        progress=jnp.float32(0.5),
        dropout_keys=keys,
        **options,
    )


def features_of(model, variables, batch, extractor):
    """f(x) as a function of f's parameters."""
    statistics = variables['batch_stats']['feature_extractor']
    out, _ = model.feature_extractor.apply(
        {'params': extractor, 'batch_stats': statistics},
        batch['image'],
        train=True,
        mutable=['batch_stats'],
    )
    return out
