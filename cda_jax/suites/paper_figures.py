"""The paper's figures, drawn from a suite's runs."""

from collections.abc import Mapping, Sequence

import numpy as np

from cda_jax.analysis.features import FEATURES_FILE, read_features
from cda_jax.analysis.figures import (
    class_distributions,
    confusion_figure,
    embed,
    embedding_figure,
    recall_figure,
    subsample_evenly,
)
from cda_jax.analysis.report import Picture
from cda_jax.data.sites import open_sites
from cda_jax.suites.outcomes import Outcome, confusion
from cda_jax.suites.paper_tables import methods_of_table_4

Outcomes = Mapping[str, list[Outcome]]

_MAX_EMBEDDED = 3000


def figure_3(data_dir: str, sites: Sequence[str]) -> Picture:
    """Class distributions of the sites.

    Args:
        data_dir: Folder of the prepared sites.
        sites: Their names.
    """
    opened = open_sites(data_dir, tuple(sites))
    counts = {
        site.name: {
            split: np.array(content.class_counts) for split, content in site.manifest.splits.items()
        }
        for site in opened
    }
    return Picture(
        class_distributions(counts, opened[0].manifest.class_names),
        'Figure 3: share of each class in the training and test data of every site.',
        'Bars of the class shares of every site.',
    )


def figure_4(outcomes: Outcomes, sites: Sequence[str]) -> Picture | None:
    """Confusion of the sites by a network that was trained to name them."""
    runs = outcomes.get('dataset-id')
    if not runs:
        return None
    return Picture(
        confusion_figure({'': confusion(runs)}, sites),
        'Figure 4: name that dataset. Rows: the site of a test picture; columns: the site that the '
        'network names.',
        'Confusion matrix of the sites.',
    )


def figure_6(outcomes: Outcomes, sites: Sequence[str]) -> Picture | None:
    """Recall matrices of the two baselines and the full method on the last site."""
    site = sites[-1]
    confusions = {
        short: confusion(outcomes[name], site)
        for name, (_, short) in methods_of_table_4(sites).items()
        if outcomes.get(name)
    }
    if not confusions:
        return None
    some_run = next(outcomes[name][0] for name in methods_of_table_4(sites) if outcomes.get(name))
    return Picture(
        recall_figure(confusions, some_run.results.class_names),
        f'Figure 6: recall matrices on {site}; rows: the labelled class, columns: the predicted '
        'one, last row: precision.',
        'A recall matrix for each method, with a row of precision below.',
    )


def figures_5_and_7(outcomes: Outcomes) -> tuple[Picture, ...]:
    """Features of the merged baseline beside those of the full method; of the first seed.

    Empty where one of them is not measured.
    """
    runs = {
        title: outcomes[name][0].run.workdir / FEATURES_FILE
        for title, name in (('Baseline, merged', 'baseline'), ('CDA + ACE', 'cda'))
        if outcomes.get(name)
    }
    if len(runs) < 2 or not all(path.exists() for path in runs.values()):
        return ()
    features = {title: read_features(path) for title, path in runs.items()}
    first = next(iter(features.values()))
    chosen = subsample_evenly(first.site, _MAX_EMBEDDED, seed=0)
    points = {title: embed(each.features[chosen], seed=0) for title, each in features.items()}
    return (
        Picture(
            embedding_figure(points, first.site[chosen], first.site_names, 'site'),
            'Figure 5: features of the test sets by site (UMAP).',
            'Scatter plots of both networks, coloured by site.',
        ),
        Picture(
            embedding_figure(points, first.label[chosen], first.class_names, 'class'),
            'Figure 7: the same points by labelled class.',
            'Scatter plots of both networks, coloured by class.',
        ),
    )
