"""Unsupervised adaptation: RAF-DB with labels, FER2013 without; tested on both.

    python tools/prepare.py --dataset=fer2013 --root=fer2013.csv --out=data/fer2013_unlabelled \
        --unlabelled
    python -m cda_jax.main --config=configs/unlabelled_target.py --workdir=runs/unlabelled_target

The setting of the benchmark CD-FER and of AGRA: the target's training pictures are seen, and their
labels are not. The method, the network and the optimisation are those of configs/cda.py, which are
not the benchmark's. For other targets: `--config.sites="('rafdb', 'ckplus_unlabelled')"`.
Source: Chen et al. (2021), https://arxiv.org/abs/2008.00923, section 3.
"""

from ml_collections import ConfigDict

from cda_jax.config import load_config


def get_config() -> ConfigDict:
    """As configs/cda.py, but for these fields."""
    config = load_config('cda')
    config.sites = ('rafdb', 'fer2013_unlabelled')  # the source and the target
    config.site_weights = (1.0, 1.0)  # as many pictures of each in a batch
    config.shared_head = True  # the target has no labels for a classifier of its own
    return config
