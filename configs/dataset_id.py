"""Name that dataset: a ResNet-50 learns to tell which site a picture comes from.

    python -m cda_jax.main --config=configs/dataset_id.py --workdir=runs/dataset_id

The better it does, the more biased are the sites. The confusion matrix of figure 4 of the paper is
`pooled.confusion` in the run's results.json. Data and hardware as for configs/cda.py.
Source: Han et al. (2020), section III-D.
"""

from ml_collections import ConfigDict

from cda_jax.config import load_config


def get_config() -> ConfigDict:
    """As configs/baseline.py, but for these fields."""
    config = load_config('baseline')
    config.target = 'site'  # what to learn: the site that a picture is from
    return config
