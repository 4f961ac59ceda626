"""Cross-dataset adaptation in JAX: one model, several labelled image datasets."""

__version__ = '0.1.0'
