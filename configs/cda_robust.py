"""Cross-dataset adaptation for small or uneven sites; configs/small.py is for few pictures.

    python -m cda_jax.main --config=configs/cda_robust.py --workdir=runs/cda_robust

The paper's method, steadied where a batch has few samples of a site or of a class, of which
configs/cda.py makes class weights that are noise, with a dataset classifier that keeps up with
the features, and with the sites' mean features drawn together. docs/method.md has the causes,
docs/results.md the comparison.
"""

from ml_collections import ConfigDict

from cda_jax.config import load_config


def get_config() -> ConfigDict:
    """As configs/cda.py, but for these fields."""
    config = load_config('cda')
    config.common_head = True  # besides the sites' own, so that the features learn from all samples
    steady = {'alpha': 0.5, 'prior': 7.0, 'unit_mean': True}
    config.emotion_loss_args = steady
    config.dataset_loss_args = steady
    config.shared_statistics = 0.5  # class weights half from the site's samples, half from all

    # Reversed gradients: strong while there is something to learn, against a quick classifier
    config.lambda1_max = 0.5
    config.lambda2_max = 0.3
    config.lambda_schedule = 'dann'
    config.lambda_warmup_fraction = 0.3
    config.dataset_classifier_rate_factor = 3.0
    config.gradient_clip = 5.0  # or the game diverges where sites are easy to tell apart

    # And what a classifier that learns step by step is slow to find
    config.site_distance = 'means'
    config.site_distance_weight = 5.0
    return config
