"""Results as they are written, read back and printed."""

import csv
import re

import pytest

from cda_jax.errors import InputError
from cda_jax.runtime.results import (
    Averages,
    HeadScores,
    Results,
    format_results,
    read_results,
    write_results,
)

OWN = HeadScores(1200, 0.875, 0.5, 0.75, 0.125, [0.75, None], [1.0, 0.0], [[900, 300], [0, 0]])
MEAN = HeadScores(1200, 1.0, 1.0, 1.0, 0.0, [1.0, None], [1.0, 0.0], [[1200, 0], [0, 0]])
RESULTS = Results(
    step=1170,
    class_names=['Fear', 'Anger'],
    test_sites={'rafdb': {'own': OWN, 'mean': MEAN}},
    average=Averages(0.875, 0.5, 0.75),
    pooled=OWN,
)


def test_what_is_written_is_read_back(tmp_path):
    assert read_results(tmp_path) is None
    write_results(tmp_path, RESULTS)
    assert read_results(tmp_path) == RESULTS
    own, mean = csv.DictReader((tmp_path / 'results.csv').read_text().splitlines())
    assert (own['test_site'], own['head'], own['accuracy']) == ('rafdb', 'own', '0.875')
    assert (own['recall_Fear'], own['recall_Anger'], mean['precision_Anger']) == ('0.75', '', '0.0')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['results.csv', 'results.json']


def test_damaged_results_are_named(tmp_path):
    (tmp_path / 'results.json').write_text('{"step": "many"}')
    with pytest.raises(InputError, match=r'results\.json: .*step'):
        read_results(tmp_path)


def test_the_table_has_all_scores():
    assert [line.split() for line in format_results(RESULTS).splitlines() if 'mean' in line] == [
        ['rafdb', 'mean', '1,200', '100.0', '100.0', '100.0', '+-', '0.0'],
        ['rafdb', 'mean', '100.0', '-'],
        ['rafdb', 'mean', '100.0', '0.0'],
    ]
    assert re.search(r'\naverage +87.5 +50.0 +75.0\n', format_results(RESULTS))
    assert RESULTS.answers() == {'rafdb': OWN}
