"""How biased features are: what tells the sites apart, and how far apart they are."""

from cda_jax.analysis.bias.measure import measure_bias
from cda_jax.analysis.bias.report import BiasReport, read_bias

__all__ = ['BiasReport', 'measure_bias', 'read_bias']
