"""The paper's baseline: ResNet-50 with one emotion classifier and plain cross entropy.

    python -m cda_jax.main --config=configs/baseline.py --workdir=runs/baseline
    python -m cda_jax.main --config=configs/baseline.py --workdir=runs/baseline_affectnet \
        --config.sites="('affectnet',)" --config.test_sites="('rafdb', 'expw', 'affectnet')"

The first line trains on all sites merged, the second on AffectNet alone (table 4 of the paper; with
one site each, table 2). Data and hardware as for configs/cda.py.
Source: Han et al. (2020), sections III-D and III-E.
"""

from ml_collections import ConfigDict

from cda_jax.config import load_config


def get_config() -> ConfigDict:
    """As configs/cda.py, but for these fields."""
    config = load_config('cda')
    config.shared_head = True  # one emotion classifier for all sites
    config.pseudo_label = 'none'  # no label extractor
    config.alignment = 'none'  # no adversary
    config.emotion_loss = 'cross_entropy'
    config.emotion_loss_args = {}
    return config
