"""The report of one run: what it recognises, what is left of the datasets, how training went."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cda_jax.analysis.bias.report import AnnotationBias, BiasReport, Estimate
from cda_jax.analysis.features import Features
from cda_jax.analysis.figures.classes import class_distributions, recall_figure
from cda_jax.analysis.figures.curves import gradient_curves, health_panel, training_curves
from cda_jax.analysis.figures.embedding import embed, embedding_figure, subsample_evenly
from cda_jax.analysis.health import Setup, health_warnings, read_metrics
from cda_jax.analysis.report import Page, Picture, Section, environment
from cda_jax.analysis.selection import mean_entropy, soft_neighbourhood_density
from cda_jax.analysis.tables import Column, Table, show_percent
from cda_jax.config import Config, as_fields
from cda_jax.data.manifest import SPLITS
from cda_jax.data.sites import open_sites
from cda_jax.runtime.results import Results
from cda_jax.trained import training_of_run

_MAX_EMBEDDED = 3000


def run_page(
    workdir: Path,
    config: Config,
    results: Results,
    features: Features,
    bias: BiasReport,
    *,
    embedding: bool,
) -> Page:
    """Puts the report of a finished run together; `embedding` has the features in two dimensions.

    The config is the run's, with the data where they are now. An `InputError` names a file of the
    run, or of a site's data, that is missing or damaged.
    """
    lines = read_metrics(workdir)
    setup = Setup.of_run(config, training_of_run(workdir))
    warnings = health_warnings(lines, setup)
    sections = [_recognition(results, features)]
    if bias.collapsed:
        warnings.append('The features of all test examples are the same: the network collapsed.')
    else:
        sections.append(_bias(bias))
        if bias.annotation.all.accuracy_against_truth:
            sections.append(_annotation(bias.annotation))
        if embedding:
            pictures = planes({'test examples': features})
            sections.append(Section('Features in two dimensions', figures=pictures))
    sections.append(_training(lines, setup))
    if config.target == 'label':
        picture = data_figure(config.data_dir, features.site_names)
        sections.append(Section('Data', figures=(picture,)))
    settings = {'Configuration': as_fields(config), 'Environment': environment()}
    sections.append(Section('Settings', folded=settings))
    return Page(
        title=f'Run {workdir.name}',
        subtitle=f'Trained on {", ".join(config.sites)}; tested on '
        f'{", ".join(results.test_sites)}; {results.step:,} steps.',
        answer=tuple(_answer(results, bias)),
        warnings=tuple(warnings),
        sections=tuple(sections),
    )


def data_figure(data_dir: str, sites: Sequence[str]) -> Picture:
    """Figure 3 of the paper: class distributions of prepared sites."""
    opened = open_sites(data_dir, tuple(sites))
    counts = {
        site.name: {k: site.spread(site.manifest.splits[k].class_counts) for k in SPLITS}
        for site in opened
    }
    return Picture(
        class_distributions(counts, opened[0].class_names),
        'Share of each class in the training and test data of every site, with the number of '
        'examples (figure 3 of the paper).',
        'Bars of the class shares of every site.',
    )


def planes(features: dict[str, Features]) -> tuple[Picture, Picture]:
    """Figures 5 and 7 of the paper: features in two dimensions, by site and by class.

    There is a panel, by its title, for each network's features of the same test sets.
    """
    first = next(iter(features.values()))
    rows = subsample_evenly(first.site, _MAX_EMBEDDED, seed=0)
    points = {title: embed(each.features[rows], 0) for title, each in features.items()}
    return (
        Picture(
            embedding_figure(points, first.site[rows], first.site_names),
            'Features of the test sets by site, by UMAP (figure 5 of the paper). It shows '
            'neighbourhoods; distances between clusters and their sizes mean little.',
            'Scatter plot of the features, coloured by site.',
        ),
        Picture(
            embedding_figure(points, first.label[rows], first.class_names),
            'The same points by labelled class (figure 7 of the paper).',
            'Scatter plot of the features, coloured by class.',
        ),
    )


def recall_picture(confusions: dict[str, np.ndarray], class_names: Sequence[str]) -> Picture:
    """Figure 6 of the paper: recall matrices, by the title of the panel."""
    return Picture(
        recall_figure(confusions, class_names),
        'Recall matrices (figure 6 of the paper). Rows: the labelled class; columns: the predicted '
        'one; last row: precision.',
        'Recall matrices with a row of precision below each.',
    )


def _answer(results: Results, bias: BiasReport) -> Iterator[str]:
    by_site = ', '.join(
        f'{site} {show_percent(scores.accuracy)}' for site, scores in results.answers().items()
    )
    yield (
        f'Accuracy averages {show_percent(results.average.accuracy)} over the test sets '
        f'({by_site}); macro F1 {show_percent(results.average.macro_f1)}.'
    )
    probe = bias.dataset_classification and bias.dataset_classification.linear
    if probe:
        within = bias.within_class.linear.balanced_accuracy
        yield (
            'A fresh linear probe names the site of a test example with a balanced accuracy of '
            f'{_with_interval(probe.balanced_accuracy)}; chance is {show_percent(probe.chance)}.'
            + (f' Among examples of one class: {_with_interval(within)}.' if within else '')
        )
    truth = bias.annotation and bias.annotation.all
    if truth and truth.accuracy_against_truth:
        yield (
            f'Against the true labels, accuracy is {_with_interval(truth.accuracy_against_truth)}; '
            f'the annotators agree with them in {_with_interval(truth.annotators_against_truth)} '
            'of the test examples.'
        )


def _recognition(results: Results, features: Features) -> Section:
    names = 'accuracy', 'macro F1', 'recall', 'recall sd'
    columns = Column('test set'), Column('head'), Column('examples', 'number')
    columns += tuple(Column(name, 'percent') for name in names)
    rows = [
        (site, head, of.num_examples, of.accuracy, of.macro_f1, of.mean_recall, of.recall_sd)
        for site, heads in results.test_sites.items()
        for head, of in heads.items()
    ]
    shares = {
        site: features.probabilities[features.site == number]
        for number, site in enumerate(features.site_names)
    }
    without_labels = Table(
        'without-labels',
        'Scores that need no labels',
        (
            columns[0],
            Column('mean entropy', 'number'),
            Column('soft neighbourhood density', 'number'),
        ),
        [(site, mean_entropy(p), soft_neighbourhood_density(p)) for site, p in shares.items()],
        'In nats, of the head that answers. Between models on one test set, a lower entropy and a '
        'higher density speak for a model; between test sets they mean nothing.',
    )
    confusions = {site: np.array(s.confusion) for site, s in results.answers().items()}
    return Section(
        'Recognition',
        'The first head of each test set is the one that answers there; all figures on this page '
        'are its own unless they say otherwise.',
        (Table('scores', 'Scores on the test sets', columns, rows), without_labels),
        (recall_picture(confusions, results.class_names),),
    )


def _bias(bias: BiasReport) -> Section:
    overall, within, rows = bias.dataset_classification, bias.within_class, []
    for kind, name in {'linear': 'linear probe', 'mlp': 'MLP probe'}.items():
        for what, by_probe in {'all': overall, 'within class': within}.items():
            probe = getattr(by_probe, kind)
            if probe and probe.balanced_accuracy:
                chance = f'{100 * probe.chance:.1f}'
                rows.append(_row(f'{name}, {what} (%)', probe.balanced_accuracy, chance, 1, 100))
    for pair in bias.pairs:
        names = ' - '.join(pair.sites)
        rows.append(_row(f'A-distance, {names}', pair.a_distance, '0'))
        rows.append(_row(f'MMD squared, {names}', pair.mmd2, '0', 3))
    for name, mixing in {'iLISI (sites)': bias.ilisi, 'cLISI (classes)': bias.clisi}.items():
        if mixing:
            rows.append(_row(name, mixing.estimate, f'{mixing.if_mixed.value:.2f}'))
    rows.append(_row('silhouette of the site', bias.silhouette.site, '0'))
    rows.append(_row('silhouette of the class', bias.silhouette.class_, None))
    columns = tuple(map(Column, ('measure', 'value', '95 % from', 'to', 'mixed')))
    return Section(
        'Dataset bias in the features',
        'Measured on the frozen features of the test sets. Probes are trained afresh and judged on '
        "photos that they have not seen; their figures are balanced accuracies. 'Mixed' is what "
        'features that know nothing of the site (cLISI: of the class) would give.',
        (Table('bias', 'Measures of bias', columns, rows),),
    )


def _annotation(bias: AnnotationBias) -> Section:
    titles = {
        'accuracy_against_labels': 'accuracy against labels',
        'accuracy_against_truth': 'against the truth',
        'annotators_against_truth': 'labels against the truth',
        'swallowed': 'swallowed',
        'recovered': 'recovered',
    }
    rows = []
    for site, compared in {**bias.by_site, 'all': bias.all}.items():
        estimates = [getattr(compared, field) for field in titles]
        rows.append((site, *(estimate and estimate.value for estimate in estimates)))
    columns = Column('test set'), *(Column(title, 'percent') for title in titles.values())
    return Section(
        'Annotation bias',
        'Of the examples whose label is not the truth: swallowed are those predicted as labelled, '
        'recovered those predicted as they are.',
        (Table('annotation', 'Labels and truth', columns, rows),),
    )


def _training(lines: Sequence[dict], setup: Setup) -> Section:
    curves = Picture(
        training_curves(lines),
        'Every logged step, each of one batch, and their running median.',
        'Loss terms, accuracies and learning rate over the epochs.',
    )
    gradient = any('largest_gradient_share' in line for line in lines) and Picture(
        gradient_curves(lines, setup.site_shares),
        "Whose the emotion classifiers' gradient at the features is. A site far above its dashed "
        'line trains the network at the expense of the others.',
        'Shares of the gradient by site and of the largest sample over the epochs.',
    )
    game = setup.num_sites and Picture(
        health_panel(lines, setup.num_sites),
        'The adversarial game between dataset classifier and features.',
        'Balanced accuracy and loss of the dataset classifier, ratio of the reversed to the direct '
        'gradient, and lambda over the epochs.',
    )
    return Section('Training', figures=tuple(filter(None, (curves, gradient, game))))


def _row(name: str, estimate: Estimate | None, mixed: str | None, decimals=2, factor=1) -> tuple:
    if estimate is None:
        return name, None, None, None, mixed
    figures = (estimate.value, estimate.low, estimate.high)
    return name, *(f'{factor * figure:.{decimals}f}' for figure in figures), mixed


def _with_interval(estimate: Estimate) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    return f'{show_percent(estimate.value)} ({low:.1f} to {high:.1f})'
