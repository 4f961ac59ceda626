"""The report of one run: what it recognises, what is left of the datasets, how training went."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cda_jax.analysis.features import Features
from cda_jax.analysis.figures import (
    class_distributions,
    embed,
    embedding_figure,
    health_panel,
    recall_figure,
    subsample_evenly,
    training_curves,
)
from cda_jax.analysis.health import health_warnings, read_metrics
from cda_jax.analysis.report import Page, Picture, Section, environment
from cda_jax.analysis.tables import Column, Table
from cda_jax.config import Config, as_fields
from cda_jax.data.sites import open_sites
from cda_jax.runtime.results import read_results

_MAX_EMBEDDED = 3000


def run_page(
    workdir: Path, config: Config, features: Features, measures: dict, *, embedding: bool
) -> Page:
    """Puts the report of a finished run together.

    Args:
        workdir: Of the run.
        config: Its config, with the data where they are now.
        features: Of its test sets.
        measures: Of `measure_run`.
        embedding: Whether to draw the features in two dimensions, which takes some ten seconds.

    Raises:
        InputError: The run is not finished, or a file of it is damaged.
    """
    results = read_results(workdir)
    lines = read_metrics(workdir)
    num_sites = len(config.sites)
    warnings = tuple(health_warnings(lines, num_sites)) if config.dataset_classifier else ()
    if 'collapsed' in measures:
        warnings += ('The features of all test examples are the same: the network has collapsed.',)
    sections = [_recognition(results), _bias(measures), _annotation(measures)]
    sections += [_features(features)] if embedding and 'collapsed' not in measures else []
    sections += [_training(lines, config), _data(config, features)]
    return Page(
        title=f'Run {workdir.name}',
        subtitle=f'Trained on {", ".join(config.sites)}; tested on '
        f'{", ".join(results.test_sites)}; {results.step:,} steps.',
        answer=tuple(_answer(results, measures)),
        warnings=warnings,
        sections=tuple(section for section in sections if section),
        table_folder='tables',
        config=as_fields(config),
        environment=environment(),
    )


def page_tables(page: Page) -> list[Table]:
    """All tables of a page, for `write_tables`."""
    return [
        table
        for section in page.sections
        for part in (section, *section.details)
        for table in part.tables
    ]


def _answer(results, measures):
    by_site = ', '.join(
        f'{site} {_percent(scores.accuracy)}' for site, scores in results.answers().items()
    )
    average = results.average
    yield (
        f'Accuracy averages {_percent(average.accuracy)} over the test sets ({by_site}); '
        f'macro F1 {_percent(average.macro_f1)}.'
    )
    overall = (measures.get('dataset_classification') or {}).get('linear')
    if overall:
        within = (measures['within_class']['linear'] or {}).get('balanced_accuracy')
        yield (
            'A fresh linear probe names the site of a test example with a balanced accuracy of '
            f'{_estimate(overall["balanced_accuracy"])}; chance is {_percent(overall["chance"])}.'
            + (f' Among examples of one class: {_estimate(within)}.' if within else '')
        )
    truth = (measures.get('annotation') or {}).get('all')
    if truth and truth['accuracy_against_truth']:
        yield (
            f'Against the true labels, accuracy is {_estimate(truth["accuracy_against_truth"])}; '
            f'the annotators agree with them in {_estimate(truth["annotators_against_truth"])} '
            'of the test examples.'
        )


def _recognition(results) -> Section:
    rows, confusions = [], {}
    for site, heads in results.test_sites.items():
        for head, of in heads.items():
            scores = of.accuracy, of.macro_f1, of.mean_recall, of.recall_sd
            rows.append((site, head, of.num_examples, *scores))
        confusions[site] = np.array(results.answers()[site].confusion)
    columns = [Column('test set', 'text'), Column('head', 'text'), Column('examples', 'number')]
    columns += [Column(name, 'percent') for name in ('accuracy', 'macro F1', 'recall', 'recall sd')]
    return Section(
        'Recognition',
        'recognition',
        text='The first head of each test set is the one that answers there; all figures on this '
        'page are of it unless they say otherwise.',
        tables=(Table('scores', 'Scores on the test sets', tuple(columns), tuple(rows)),),
        figures=(
            Picture(
                recall_figure(confusions, results.class_names),
                'Rows: the labelled class; columns: the predicted one. The last row is precision.',
                'Recall matrices of the test sets, with a row of precision below each.',
            ),
        ),
    )


def _bias(measures) -> Section | None:
    if 'dataset_classification' not in measures:
        return None
    rows = []
    for kind, title in (('linear', 'linear'), ('mlp', 'MLP')):
        for part, where in (('dataset_classification', 'all'), ('within_class', 'within class')):
            figures = measures[part][kind]
            if figures and figures['balanced_accuracy']:
                row = _row(figures['balanced_accuracy'], 100, 1)
                rows.append((f'{title} probe, {where} (%)', *row, f'{100 * figures["chance"]:.1f}'))
    for pair in measures['pairs']:
        names = ' - '.join(pair['sites'])
        rows.append((f'A-distance, {names}', *_row(pair['a_distance'], 1, 2), '0'))
        rows.append((f'MMD squared, {names}', *_row(pair['mmd2'], 1, 3), '0'))
    for name, title in (('ilisi', 'iLISI (sites)'), ('clisi', 'cLISI (classes)')):
        if measures[name]:
            mixed = measures[name]['if_mixed']['value']
            rows.append((title, *_row(measures[name]['estimate'], 1, 2), f'{mixed:.2f}'))
    for name in ('site', 'class'):
        row = _row(measures['silhouette'][name], 1, 2)
        rows.append((f'silhouette of the {name}', *row, '0' if name == 'site' else '-'))
    columns = [Column(name, 'text') for name in ('measure', 'value', '95 % from', 'to', 'mixed')]
    return Section(
        'Dataset bias in the features',
        'bias',
        text='Of frozen features of the test sets. Probes are trained afresh and judged on '
        "photos that they have not seen; their figures are balanced accuracies. 'Mixed' is what "
        'features that know nothing of the site (cLISI: of the class) would give.',
        tables=(Table('bias', 'Measures of bias', tuple(columns), tuple(rows)),),
    )


def _annotation(measures) -> Section | None:
    annotation = measures.get('annotation')
    if not annotation or annotation['all']['accuracy_against_truth'] is None:
        return None
    names = {
        'accuracy_against_labels': 'accuracy against labels',
        'accuracy_against_truth': 'against the truth',
        'annotators_against_truth': 'labels against the truth',
        'swallowed': 'swallowed',
        'recovered': 'recovered',
    }
    rows = [
        (site, *(_value(entry[name]) for name in names))
        for site, entry in (annotation['by_site'] | {'all': annotation['all']}).items()
    ]
    columns = [Column('test set', 'text'), *(Column(n, 'percent') for n in names.values())]
    return Section(
        'Annotation bias',
        'annotation',
        text='Of the examples whose label is not the truth: swallowed are those predicted as '
        'labelled, recovered those predicted as they are.',
        tables=(Table('annotation', 'Labels and truth', tuple(columns), tuple(rows)),),
    )


def _features(features: Features) -> Section:
    chosen = subsample_evenly(features.site, _MAX_EMBEDDED, seed=0)
    points = {'test examples': embed(features.features[chosen], seed=0)}
    by_site = embedding_figure(points, features.site[chosen], features.site_names, 'site')
    by_class = embedding_figure(points, features.label[chosen], features.class_names, 'class')
    return Section(
        'Features in two dimensions',
        'features',
        text='UMAP of the features. It shows neighbourhoods; distances between clusters and their '
        'sizes mean little.',
        figures=(
            Picture(by_site, 'By site.', 'Scatter plot of the features, coloured by site.'),
            Picture(by_class, 'By label.', 'Scatter plot of the features, coloured by class.'),
        ),
    )


def _training(lines: Sequence[dict], config: Config) -> Section:
    pictures = [
        Picture(
            training_curves(lines),
            'Every logged step, each of one batch.',
            'Loss terms, accuracies and learning rate over the epochs.',
        )
    ]
    if config.dataset_classifier:
        pictures.append(
            Picture(
                health_panel(lines, len(config.sites), dataset_loss=config.dataset_loss),
                'The adversarial game between dataset classifier and features.',
                'Balanced accuracy and loss of the dataset classifier, ratio of the reversed to '
                'the direct gradient, and lambda over the epochs.',
            )
        )
    return Section('Training', 'training', figures=tuple(pictures))


def _data(config: Config, features: Features) -> Section | None:
    if config.target == 'site':
        return None
    sites = open_sites(config.data_dir, features.site_names)
    counts = {
        site.name: {
            split: np.array(content.class_counts) for split, content in site.manifest.splits.items()
        }
        for site in sites
    }
    return Section(
        'Data',
        'data',
        figures=(
            Picture(
                class_distributions(counts, features.class_names),
                'Share of each class in the training and test data.',
                'Bars of the class shares of every site.',
            ),
        ),
    )


def _row(estimate, factor, decimals):
    if estimate is None:
        return '-', '-', '-'
    return tuple(f'{factor * estimate[name]:.{decimals}f}' for name in ('value', 'low', 'high'))


def _value(estimate):
    return estimate and estimate['value']


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %'


def _estimate(estimate: dict) -> str:
    low, high = 100 * estimate['low'], 100 * estimate['high']
    return f'{_percent(estimate["value"])} ({low:.1f} to {high:.1f})'
