"""What a program that computes does before it imports JAX."""

import os

from absl import flags, logging


def quieten() -> None:
    """Keeps libraries from telling every move, unless the user asked for it."""
    if not flags.FLAGS['verbosity'].present:
        logging.set_verbosity(logging.WARNING)


def keep_compilations() -> None:
    """Keeps XLA's compilations between runs, unless the user decided where."""
    if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
        caches = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
        os.environ['JAX_COMPILATION_CACHE_DIR'] = os.path.join(caches, 'cda_jax', 'xla')
