"""Figures of papers and reports: plain data in, a Matplotlib figure out."""

from cda_jax.analysis.figures.adversary import health_panel
from cda_jax.analysis.figures.confusion import confusion_figure
from cda_jax.analysis.figures.curves import training_curves
from cda_jax.analysis.figures.distributions import class_distributions
from cda_jax.analysis.figures.embedding import embedding_figure
from cda_jax.analysis.figures.projection import embed, subsample_evenly
from cda_jax.analysis.figures.recall import recall_figure

__all__ = [
    'class_distributions',
    'confusion_figure',
    'embed',
    'embedding_figure',
    'health_panel',
    'recall_figure',
    'subsample_evenly',
    'training_curves',
]
