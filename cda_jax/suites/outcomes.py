"""What finished runs say, gathered over seeds."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from cda_jax.analysis.bias.measure_run import read_bias
from cda_jax.analysis.tables import Measured
from cda_jax.runtime.results import Results, read_results
from cda_jax.suites.runs import Run


class Outcome(NamedTuple):
    """A finished run.

    Attributes:
        run: The run.
        results: Its results.json.
        bias: Its bias.json; empty where the features were not measured.
    """

    run: Run
    results: Results
    bias: dict


# A figure of one run; None where there is no such figure.
Figure = Callable[[Outcome], float | None]


def finished(runs: Iterable[Run]) -> dict[str, list[Outcome]]:
    """The outcomes of the runs that are finished, by method and in the order of the seeds."""
    outcomes = {}
    for run in runs:
        results = read_results(run.workdir)
        if results is not None:
            outcome = Outcome(run, results, read_bias(run.workdir) or {})
            outcomes.setdefault(run.method, []).append(outcome)
    return outcomes


def over_seeds(outcomes: Iterable[Outcome], figure: Figure) -> Measured | None:
    """A figure of every seed; None if some run has it not, or there is no run."""
    values = [figure(outcome) for outcome in outcomes]
    return None if not values or None in values else Measured(tuple(values))


def of_site(site: str, score: str) -> Figure:
    """A score of the answering head on one test set, such as 'accuracy'."""

    def figure(outcome):
        scores = outcome.results.answers().get(site)
        return scores and getattr(scores, score)

    return figure


def average(score: str) -> Figure:
    """A score averaged over the test sets, each counting the same."""
    return lambda outcome: getattr(outcome.results.average, score)


def true_accuracy(site: str) -> Figure:
    """Accuracy against what there is to see, not against the annotators' labels."""

    def figure(outcome):
        if 'annotation' not in outcome.bias:
            return None
        return _value(outcome.bias['annotation']['by_site'][site]['accuracy_against_truth'])

    return figure


def average_true_accuracy(outcome: Outcome) -> float | None:
    """Mean over the test sets of `true_accuracy`."""
    values = [true_accuracy(site)(outcome) for site in outcome.results.test_sites]
    return None if None in values else float(np.mean(values))


def probe(kind: str = 'linear', *, within_class: bool = False) -> Figure:
    """Balanced accuracy of a fresh probe that tells the sites apart by the features."""

    def figure(outcome):
        part = outcome.bias.get('within_class' if within_class else 'dataset_classification')
        return _value(part and part[kind] and part[kind]['balanced_accuracy'])

    return figure


def a_distance(outcome: Outcome) -> float | None:
    """Mean proxy A-distance over the pairs of sites."""
    values = [_value(pair['a_distance']) for pair in outcome.bias.get('pairs', [])]
    return None if not values or None in values else float(np.mean(values))


def mixing(kind: str) -> Figure:
    """Local inverse Simpson index: 'ilisi' of the sites, 'clisi' of the classes."""

    def figure(outcome):
        measure = outcome.bias.get(kind)
        return _value(measure and measure['estimate'])

    return figure


def chance(outcome: Outcome) -> float | None:
    """What a probe that knows nothing is right about, over the sites in turn."""
    part = outcome.bias.get('dataset_classification')
    return part['linear']['chance'] if part and part['linear'] else None


def confusion(outcomes: list[Outcome], site: str | None = None) -> np.ndarray:
    """int64[C, C], summed over the seeds; of one test set, or of all together."""
    results = [outcome.results for outcome in outcomes]
    scores = [one.pooled if site is None else one.answers()[site] for one in results]
    return np.sum([one.confusion for one in scores], axis=0)


def _value(estimate: dict | None) -> float | None:
    return estimate and estimate['value']
