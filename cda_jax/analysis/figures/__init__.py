"""Figures of papers and reports: plain data in, a Matplotlib figure out."""

from cda_jax.analysis.figures.confusion import confusion_figure, recall_figure
from cda_jax.analysis.figures.curves import health_panel, training_curves
from cda_jax.analysis.figures.distributions import class_distributions
from cda_jax.analysis.figures.embedding import embed, embedding_figure, subsample_evenly

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
