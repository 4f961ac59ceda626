"""The networks: feature extractor, label extractor, classifiers, and all of them together."""

from cda_jax.models.cda import CDA, Outputs
from cda_jax.models.mlp import Perceptron
from cda_jax.models.resnet import RESNET_DEPTHS, ResNet

__all__ = ['CDA', 'RESNET_DEPTHS', 'Outputs', 'Perceptron', 'ResNet']
