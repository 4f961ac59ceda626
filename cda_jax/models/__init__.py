"""The networks: feature extractor, label extractor, classifiers, and all of them together."""

from cda_jax.models.cda import CDA, PSEUDO_LABELS, Outputs
from cda_jax.models.mlp import Classifier, LabelExtractor
from cda_jax.models.resnet import RESNET_DEPTHS, ResNet

__all__ = [
    'CDA',
    'PSEUDO_LABELS',
    'RESNET_DEPTHS',
    'Classifier',
    'LabelExtractor',
    'Outputs',
    'ResNet',
]
