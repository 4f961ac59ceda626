"""The figures of finished runs, gathered over seeds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cda_jax.analysis.bias.report import BiasReport, read_bias
from cda_jax.analysis.seeds import Measured
from cda_jax.metrics import score
from cda_jax.runtime.results import Results, read_results
from cda_jax.suites.plan import Run


class Outcome(NamedTuple):
    """A finished run; `bias` is None where its features were not measured."""

    run: Run
    results: Results
    bias: BiasReport | None


# By method, in the order of the seeds.
Outcomes = Mapping[str, list[Outcome]]

# A figure of one run; None where there is no such figure.
Figure = Callable[[Outcome], float | None]


def finished(runs: Iterable[Run]) -> dict[str, list[Outcome]]:
    """The outcomes of the runs that are finished."""
    outcomes = defaultdict(list)
    for run in runs:
        if results := read_results(run.workdir):
            outcomes[run.method].append(Outcome(run, results, read_bias(run.workdir)))
    return dict(outcomes)


def over_seeds(outcomes: Iterable[Outcome], figure: Figure) -> Measured | None:
    """A figure of every seed; None if some run lacks it, or there is no run."""
    values = [figure(outcome) for outcome in outcomes]
    return None if not values or None in values else Measured(tuple(values))


def by_method(outcomes: Outcomes, names: Iterable[str], figure: Figure) -> dict[str, Measured]:
    """A figure of each of these methods that has it, as from `over_seeds`."""
    found = {name: over_seeds(outcomes.get(name, []), figure) for name in names}
    return {name: measured for name, measured in found.items() if measured}


def mean_of(cells: Sequence[Measured | None]) -> Measured | None:
    """Mean of several figures, seed by seed; None unless all are there, with as many seeds."""
    if not all(cells) or len({len(cell.values) for cell in cells}) > 1:
        return None
    means = np.mean([cell.values for cell in cells], axis=0)
    return Measured(tuple(means.tolist()))


def at(*names: str) -> Callable[[Any], Any]:
    """Reads what has these names, one inside the other: ('results', 'pooled', 'accuracy').

    The function gives None where one of them is None.
    """

    def find(value):
        for name in names:
            if value is None:
                return None
            value = value[name] if isinstance(value, Mapping) else getattr(value, name)
        return value

    return find


def average(name: str) -> Figure:
    """A score of the answering heads averaged over the test sets, each counting the same."""
    return lambda outcome: _mean([getattr(x, name) for x in outcome.results.answers().values()])


def of_site(site: str, name: str) -> Figure:
    """A score of the answering head on one test set, such as 'accuracy'."""
    return lambda outcome: getattr(outcome.results.answers().get(site), name, None)


def precision(site: str, summarise: Callable[[np.ndarray], float]) -> Figure:
    """Mean or spread of the classes' precision on one test set."""
    return lambda outcome: float(summarise(score(confusion([outcome], site)).precision))


def true_accuracy(site: str) -> Figure:
    """Accuracy against what there is to see, not against the annotators' labels."""
    return at('bias', 'annotation', 'by_site', site, 'accuracy_against_truth', 'value')


def average_true_accuracy(outcome: Outcome) -> float | None:
    """Mean over the test sets of `true_accuracy`."""
    return _mean([true_accuracy(site)(outcome) for site in outcome.results.test_sites])


def probe(kind: str = 'linear', *, within_class: bool = False) -> Figure:
    """Balanced accuracy of a fresh probe ('linear' or 'mlp') that names the site of a feature."""
    part = 'within_class' if within_class else 'dataset_classification'
    return at('bias', part, kind, 'balanced_accuracy', 'value')


def chance(outcome: Outcome) -> float | None:
    """Balanced accuracy of a probe that knows nothing."""
    return at('bias', 'dataset_classification', 'linear', 'chance')(outcome)


def a_distance(outcome: Outcome) -> float | None:
    """Mean proxy A-distance over the pairs of sites."""
    return _mean([at('a_distance', 'value')(pair) for pair in at('bias', 'pairs')(outcome) or ()])


def confusion(outcomes: Sequence[Outcome], site: str | None = None) -> np.ndarray:
    """int[C, C], summed over the seeds; of one test set, or of all together."""
    found = (outcome.results for outcome in outcomes)
    scores = (results.answers()[site] if site else results.pooled for results in found)
    return np.sum([each.confusion for each in scores], axis=0)


def _mean(values) -> float | None:
    return None if not values or None in values else float(np.mean(values))
