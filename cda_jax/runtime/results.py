"""The figures of an evaluation: as a table to read, as JSON and as CSV."""

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cda_jax.errors import InputError
from cda_jax.metrics import Scores, score
from cda_jax.runtime.workdir import write_whole

# Confusion matrix int[C, C] of every head that was asked, by its name, the answering one first; by
# test site.
Confusions = Mapping[str, Mapping[str, np.ndarray]]


_AVERAGED = ('accuracy', 'macro_f1', 'mean_recall')


def summarise(confusions: Confusions, class_names: tuple[str, ...], step: int) -> dict:
    """Computes all scores of an evaluation.

    Args:
        confusions: By test site and head. The first head of a site is the one that answers there.
        class_names: Names of the C classes.
        step: Steps done at the checkpoint.

    Returns:
        A tree for JSON: `step`, `class_names`, `test_sites` (by site and head: every field of
        `Scores`, and `confusion`), `average` (unweighted over the test sites, of the answering
        heads) and `pooled` (all test sites' samples together). A figure that does not exist is
        None.
    """
    answers = [next(iter(heads.values())) for heads in confusions.values()]
    scores = [score(confusion) for confusion in answers]
    return {
        'step': step,
        'class_names': list(class_names),
        'test_sites': {
            site: {head: _as_tree(confusion) for head, confusion in heads.items()}
            for site, heads in confusions.items()
        },
        'average': {name: float(np.mean([getattr(s, name) for s in scores])) for name in _AVERAGED},
        'pooled': _as_tree(sum(answers)),
    }


def write_results(workdir: Path, results: dict, stem: str = 'results') -> None:
    """Writes `<stem>.csv`, then `<stem>.json`; both whole.

    Args:
        workdir: Where to.
        results: Of `summarise`.
        stem: Name of the files without their ending. 'results' marks a training as finished.

    Raises:
        InputError: They cannot be written.
    """
    text = json.dumps(results, indent=2, allow_nan=False)
    try:
        write_whole(workdir / f'{stem}.csv', _as_csv(results))
        write_whole(workdir / f'{stem}.json', text + '\n')
    except OSError as error:
        raise InputError(f'{workdir / stem}.json cannot be written: {error.strerror}') from error


def read_results(workdir: Path) -> dict | None:
    """Reads `results.json`; None if there is none.

    Raises:
        InputError: The file is damaged.
    """
    path = workdir / 'results.json'
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise InputError(f'{path}: expected the results of an evaluation: {error}') from error


def format_results(results: dict) -> str:
    """The results as text: a table of scores, and the recall and precision of every class.

    Args:
        results: Of `summarise`.
    """
    names = results['class_names']
    scores = [['test set', 'head', 'examples', 'accuracy', 'macro F1', 'recall +- sd']]
    recalls, precisions = [['recall', 'head', *names]], [['precision', 'head', *names]]
    for site, heads in results['test_sites'].items():
        for head, entry in heads.items():
            scores.append([site, head, f'{entry["num_examples"]:,}', *_score_cells(entry)])
            recalls.append([site, head, *map(_percent, entry['recall'])])
            precisions.append([site, head, *map(_percent, entry['precision'])])
    average = [_percent(results['average'][name]) for name in _AVERAGED]
    scores.append(['average', '', '', *average])
    tables = '\n\n'.join(_align(rows) for rows in (scores, recalls, precisions))
    return f'Results after {results["step"]:,} steps, in %\n\n{tables}'


def _as_tree(confusion):
    tree = score(confusion)._asdict()
    for name, value in tree.items():
        if isinstance(value, np.ndarray):
            tree[name] = [None if math.isnan(x) else float(x) for x in value]
    return tree | {'confusion': np.asarray(confusion).tolist()}


def _as_csv(results):
    singles = [field for field in Scores._fields if field not in ('recall', 'precision')]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    per_class = [
        f'{kind}_{name}' for kind in ('recall', 'precision') for name in results['class_names']
    ]
    writer.writerow(['test_site', 'head', *singles, *per_class])
    for site, heads in results['test_sites'].items():
        for head, entry in heads.items():
            values = [entry[field] for field in singles]
            writer.writerow([site, head, *values, *entry['recall'], *entry['precision']])
    return text.getvalue()


def _score_cells(entry):
    recall = f'{_percent(entry["mean_recall"])} +- {_percent(entry["recall_sd"])}'
    return [_percent(entry['accuracy']), _percent(entry['macro_f1']), recall]


def _percent(share):
    return '-' if share is None else f'{100 * share:.1f}'


def _align(rows):
    """Columns of equal width, texts to the left and figures to the right, and a rule below."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        '  '.join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return '\n'.join([lines[0], '-' * len(lines[0]), *lines[1:]])
