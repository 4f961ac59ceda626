"""The figures of suites: the paper's own, drawn from runs."""

from collections.abc import Sequence

from cda_jax.analysis.features import read_features
from cda_jax.analysis.figures import confusion_figure
from cda_jax.analysis.report import Picture
from cda_jax.analysis.run_page import planes, recall_picture
from cda_jax.runtime.workdir import FEATURES
from cda_jax.suites.outcomes import Outcomes, confusion
from cda_jax.suites.paper_tables import methods_of_table_4


def figure_4(outcomes: Outcomes, sites: Sequence[str]) -> tuple[Picture, ...]:
    """Confusion of the sites by a network that was trained to name them; none without a run."""
    runs = outcomes.get('dataset-id')
    if not runs:
        return ()
    picture = Picture(
        confusion_figure({'': confusion(runs)}, sites),
        'Name that dataset (figure 4 of the paper). Rows: the site of a test picture; columns: the '
        'site that the network names.',
        'Confusion matrix of the sites.',
    )
    return (picture,)


def figure_6(outcomes: Outcomes, sites: Sequence[str]) -> tuple[Picture, ...]:
    """Recall of both baselines and the full method on the last site; none without a run."""
    titles = methods_of_table_4(sites)
    runs = {title: outcomes[name] for name, title in titles.items() if name in outcomes}
    if not runs:
        return ()
    confusions = {title: confusion(each, sites[-1]) for title, each in runs.items()}
    class_names = next(iter(runs.values()))[0].results.class_names
    return (recall_picture(confusions, class_names),)


def figures_5_and_7(outcomes: Outcomes) -> tuple[Picture, ...]:
    """Features of the merged baseline beside those of the full method; of the first seed.

    None where one of them is not measured.
    """
    files = {
        title: outcomes[name][0].run.workdir / FEATURES
        for name, title in (('baseline', 'Baseline, merged'), ('cda', 'CDA + ACE'))
        if name in outcomes
    }
    if len(files) < 2 or not all(path.exists() for path in files.values()):
        return ()
    return planes({title: read_features(path) for title, path in files.items()})
