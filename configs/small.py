"""Cross-dataset adaptation on some thousand pictures of your own: a small network and batch.

    python -m cda_jax.main --config=configs/small.py --workdir=runs/mine

Data: data/mine and data/theirs, made by tools/prepare.py; --config.sites="('a', 'b')" names others.
"""

from ml_collections import ConfigDict

from cda_jax.config import load_config


def get_config() -> ConfigDict:
    """As configs/cda_robust.py, but for these fields."""
    config = load_config('cda_robust')
    config.sites = ('mine', 'theirs')
    config.validation_fraction = 0.1  # so that the best checkpoint is chosen, not the last

    # A network that so few pictures can train
    config.resnet_depth = 18
    config.resnet_width = 32
    config.compute_dtype = 'float32'

    # Optimisation
    config.batch_size = 64
    config.num_epochs = 40
    config.warmup_epochs = 2.0
    return config
