"""Cross-dataset adaptation for small or uneven sites; start here with data of your own.

    python -m cda_jax.main --config=configs/cda_robust.py --workdir=runs/cda_robust

The paper's method with one emotion classifier for all sites, and with an adaptive cross entropy
whose class weights stay sound where a batch has few samples of a class. configs/cda.py has a
classifier for each site and weights from its samples alone: with few of them, these are noise
(docs/method.md has the cause, docs/results.md the comparison).
"""

import runpy
from pathlib import Path

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """As configs/cda.py, but for these fields."""
    config = runpy.run_path(str(Path(__file__).with_name('cda.py')))['get_config']()
    config.shared_head = True
    steady = {'alpha': 0.5, 'prior': 7.0, 'unit_mean': True}
    config.emotion_loss_args = steady
    config.dataset_loss_args = steady
    return config
