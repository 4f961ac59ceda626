"""The figures of finished runs, gathered over seeds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd

from cda_jax.analysis.bias.report import BiasReport, read_bias
from cda_jax.analysis.seeds import Measured
from cda_jax.metrics import score
from cda_jax.runtime.results import Results, read_results
from cda_jax.suites.plan import Run


class Outcome(NamedTuple):
    """A finished run."""

    run: Run
    results: Results
    figures: dict[str, float | None]  # as of `figures_of`


# By method, in the order of the seeds.
Outcomes = Mapping[str, list[Outcome]]


def finished(runs: Iterable[Run]) -> dict[str, list[Outcome]]:
    """The outcomes of the runs that are finished."""
    outcomes = defaultdict(list)
    for run in runs:
        if results := read_results(run.workdir):
            figures = figures_of(results, read_bias(run.workdir) or BiasReport())
            outcomes[run.method].append(Outcome(run, results, figures))
    return dict(outcomes)


def figures_of(results: Results, bias: BiasReport) -> dict[str, float | None]:
    """The figures of a run by name; one that does not exist is None.

    Scores of the answering heads are there for each test set, as 'accuracy, SITE', and averaged
    over the test sets, each counting the same, as 'accuracy'. True accuracy is against what there
    is to see, not the annotators' labels.
    """
    (measured,) = pd.json_normalize(msgspec.to_builtins(bias)).to_dict('records')
    scores = defaultdict(dict)
    for site, answer in results.answers().items():
        for name in ('accuracy', 'macro_f1', 'mean_recall', 'recall_sd'):
            scores[name][site] = getattr(answer, name)
        precision = score(answer.confusion).precision
        scores['mean_precision'][site] = float(precision.mean())
        scores['precision_sd'][site] = float(precision.std())
        truth = f'annotation.by_site.{site}.accuracy_against_truth.value'
        scores['true_accuracy'][site] = measured.get(truth)
    figures = {name: _mean(by_site.values()) for name, by_site in scores.items()}
    for name, by_site in scores.items():
        figures |= {f'{name}, {site}': value for site, value in by_site.items()}
    for kind in ('linear', 'mlp'):
        of_probe = f'{kind}.balanced_accuracy.value'
        figures[f'{kind} probe'] = measured.get(f'dataset_classification.{of_probe}')
        figures[f'{kind} probe within class'] = measured.get(f'within_class.{of_probe}')
    distances = [pair.a_distance and pair.a_distance.value for pair in bias.pairs or ()]
    return figures | {
        'pooled accuracy': results.pooled.accuracy,
        'pooled recall': results.pooled.mean_recall,
        'chance': measured.get('dataset_classification.linear.chance'),
        'a_distance': _mean(distances),
        'ilisi': measured.get('ilisi.estimate.value'),
        'clisi': measured.get('clisi.estimate.value'),
    }


def over_seeds(outcomes: Iterable[Outcome], figure: str) -> Measured | None:
    """A figure of every seed; None if some run lacks it, or there is no run.

    Raises KeyError if no run could have such a figure.
    """
    values = []
    for outcome in outcomes:
        # Not every run was tested on a site, but what 'accuracy, SITE' averages to is always there.
        if figure.partition(', ')[0] not in outcome.figures:
            raise KeyError(figure)
        values.append(outcome.figures.get(figure))
    return None if not values or None in values else Measured(tuple(values))


def by_method(outcomes: Outcomes, names: Iterable[str], figure: str) -> dict[str, Measured]:
    """A figure of each of these methods that has it, as from `over_seeds`."""
    found = {name: over_seeds(outcomes.get(name, []), figure) for name in names}
    return {name: measured for name, measured in found.items() if measured}


def mean_of(cells: Sequence[Measured | None]) -> Measured | None:
    """Mean of several figures, seed by seed; None unless all are there, with as many seeds."""
    if not all(cells) or len({len(cell.values) for cell in cells}) > 1:
        return None
    means = np.mean([cell.values for cell in cells], axis=0)
    return Measured(tuple(means.tolist()))


def confusion(outcomes: Sequence[Outcome], site: str | None = None) -> np.ndarray:
    """int[C, C], summed over the seeds; of one test set, or of all together."""
    found = (outcome.results for outcome in outcomes)
    scores = (results.answers()[site] if site else results.pooled for results in found)
    return np.sum([each.confusion for each in scores], axis=0)


def _mean(values: Iterable[float | None]) -> float | None:
    values = list(values)
    return None if not values or None in values else float(np.mean(values))
