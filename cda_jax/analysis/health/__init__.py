"""Whether a run is healthy, read from its metrics; training asks too, so no report is needed."""

from cda_jax.analysis.health.judgements import Setup
from cda_jax.analysis.health.lines import column, epochs_of, read_metrics
from cda_jax.analysis.health.warnings import Watch, health_warnings

__all__ = ['Setup', 'Watch', 'column', 'epochs_of', 'health_warnings', 'read_metrics']
