"""How biased features are: what tells the sites apart, and how far apart they are."""

from cda_jax.analysis.bias.measure import measure_bias

__all__ = ['measure_bias']
