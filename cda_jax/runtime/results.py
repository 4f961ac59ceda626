"""The figures of an evaluation: typed, as a table to read, as JSON and as CSV."""

import csv
import io
from pathlib import Path

import msgspec
from tabulate import tabulate

from cda_jax.runtime.files import read_json, write_json, write_text
from cda_jax.runtime.workdir import RESULTS


class HeadScores(msgspec.Struct, frozen=True):
    """The scores of one classifier on one test set. Shares lie between 0 and 1."""

    num_examples: int
    accuracy: float
    macro_f1: float
    mean_recall: float
    recall_sd: float
    recall: list[float | None]  # by class; None for a class without examples, in no mean
    precision: list[float | None]  # by class; 0 if never predicted, None if the site lacks it
    confusion: list[list[int]]  # how many of a class (rows) were taken for a class (columns)


class Averages(msgspec.Struct, frozen=True):
    """Unweighted means over the test sites of the scores of the heads that answer there."""

    accuracy: float
    macro_f1: float
    mean_recall: float


class Results(msgspec.Struct, frozen=True):
    """An evaluation of the checkpoint after so many steps."""

    step: int
    class_names: list[str]
    test_sites: dict[str, dict[str, HeadScores]]  # by site and head; the first one answers there
    average: Averages
    pooled: HeadScores  # on the examples of all test sites together

    def answers(self) -> dict[str, HeadScores]:
        """The scores of the head that answers, by test site."""
        return {site: next(iter(heads.values())) for site, heads in self.test_sites.items()}


def write_results(workdir: Path, results: Results, stem: str = RESULTS) -> None:
    """Writes `STEM.csv`, then `STEM.json`; results.json marks a training as finished."""
    write_text(workdir / f'{stem}.csv', _as_csv(results))
    write_json(workdir / f'{stem}.json', results)


def read_results(workdir: Path, stem: str = RESULTS) -> Results | None:
    """The results of the run in this directory, or None; an `InputError` if they are damaged."""
    path = workdir / f'{stem}.json'
    return read_json(path, Results) if path.exists() else None


def format_results(results: Results) -> str:
    """A table of scores, and the recall and precision of every class."""
    scores = [['test set', 'head', 'examples', 'accuracy', 'macro F1', 'recall +- sd']]
    recalls = [['recall', 'head', *results.class_names]]
    precisions = [['precision', 'head', *results.class_names]]
    for site, head, of in _rows(results):
        shares = [_percent(of.accuracy), _percent(of.macro_f1)]
        recall = f'{_percent(of.mean_recall)} +- {_percent(of.recall_sd)}'
        scores.append([site, head, f'{of.num_examples:,}', *shares, recall])
        recalls.append([site, head, *map(_percent, of.recall)])
        precisions.append([site, head, *map(_percent, of.precision)])
    scores.append(['average', '', '', *map(_percent, msgspec.structs.astuple(results.average))])
    tables = '\n\n'.join(_align(rows) for rows in (scores, recalls, precisions))
    return f'Results after {results.step:,} steps, in %\n\n{tables}'


def _as_csv(results: Results) -> str:
    singles = ['num_examples', 'accuracy', 'macro_f1', 'mean_recall', 'recall_sd']
    classes = [f'{kind}_{c}' for kind in ('recall', 'precision') for c in results.class_names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['test_site', 'head', *singles, *classes])
    for site, head, of in _rows(results):
        values = [getattr(of, name) for name in singles]
        writer.writerow([site, head, *values, *of.recall, *of.precision])
    return text.getvalue()


def _rows(results: Results) -> list[tuple[str, str, HeadScores]]:
    return [(site, *row) for site, heads in results.test_sites.items() for row in heads.items()]


def _percent(share: float | None) -> str:
    return '-' if share is None else f'{100 * share:.1f}'


def _align(rows: list[list[str]]) -> str:
    """Texts to the left, figures to the right, and a rule below the first row."""
    sides = ['left', 'left', *['right'] * (len(rows[0]) - 2)]
    # As a row like the others: a header of tabulate's own would widen its column.
    table = tabulate(rows, tablefmt='plain', colalign=sides, disable_numparse=True)
    head, *lines = table.splitlines()
    return '\n'.join([head, '-' * len(head), *lines])
