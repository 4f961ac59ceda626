"""The demonstration: configs/cda_robust.py with a small network, for minutes on two cores.

    python -m cda_jax.main --config=configs/demo.py --workdir=runs/demo

Data: data/standin, drawn by `./launch.sh`, which trains this and the merged baseline.
"""

from ml_collections import ConfigDict

from cda_jax.config import load_config


def get_config() -> ConfigDict:
    """As configs/cda_robust.py, but for these fields."""
    config = load_config('cda_robust')

    # Data
    config.data_dir = 'data/standin'  # made by tools/make_standin.py
    config.image_size = 40  # pixels; cut from records of 44

    # A small network
    config.resnet_depth = 10
    config.resnet_width = 16
    config.compute_dtype = 'float32'

    # Optimisation
    config.batch_size = 128
    config.num_epochs = 7
    config.warmup_epochs = 1.0

    # Logs and checkpoints
    config.log_every_steps = 50
    config.checkpoint_every_steps = 200
    return config
