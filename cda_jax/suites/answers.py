"""What a suite found, in sentences."""

from collections.abc import Iterator

from cda_jax.analysis.tables import show_percent
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import LEFT_OUT_BASES
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.paper import titles_of
from cda_jax.suites.published import REPORTED
from cda_jax.suites.tables import Sites, Titles, left_out_scores, paired_difference


def answers_of_paper(outcomes: Outcomes, sites: Sites) -> Iterator[str]:
    """The paper's claims, beside what was measured."""
    titles = titles_of(sites)
    figures = {'Accuracy averaged over the test sets': 'accuracy', 'Macro F1': 'macro_f1'}
    for label, figure in figures.items():
        parts = []
        for name, measured in out.by_method(outcomes, titles, figure).items():
            paper = REPORTED.get(name, {}).get(figure)
            beside = f' (paper: {show_percent(paper)})' if paper else ''
            parts.append(f'{titles[name]} {show_percent(measured)}{beside}')
        if parts:
            yield f'{label}: {"; ".join(parts)}.'
    if 'dataset-id' in outcomes:
        accuracy = out.over_seeds(outcomes['dataset-id'], 'pooled accuracy')
        paper = REPORTED['dataset-id']['pooled accuracy']
        yield (
            f'Name that dataset: a network is right about {show_percent(accuracy)} of the test '
            f'pictures (paper: {show_percent(paper)}).'
        )
    if probes := out.by_method(outcomes, titles, 'linear probe'):
        chance = outcomes[next(iter(probes))][0].figures['chance']
        parts = (f'{titles[name]} {show_percent(measured)}' for name, measured in probes.items())
        yield (
            'Dataset bias left in the features, by the balanced accuracy of a fresh linear probe '
            f'for the site (chance {show_percent(chance)}): {"; ".join(parts)}.'
        )


def answers_of_comparison(titles: Titles, outcomes: Outcomes, reference: str) -> Iterator[str]:
    """Which method leads in what, and by how much against the reference."""
    for label, figure, best in (
        ('accuracy averaged over the test sets', 'accuracy', max),
        ('macro F1', 'macro_f1', max),
        ('accuracy against the true labels', 'true_accuracy', max),
        ('site left in the features (linear probe; lower is better)', 'linear probe', min),
    ):
        scores = out.by_method(outcomes, titles, figure)
        if not scores:
            continue
        leader = best(scores, key=lambda name: scores[name].mean)
        parts = [f'Best {label}: {titles[leader]}, {show_percent(scores[leader])}']
        if reference in scores and reference != leader:
            said = 'one seed in common'
            if change := paired_difference(outcomes, leader, reference, figure):
                low, high = (f'{100 * bound:+.1f}' for bound in change.interval)
                said = f'difference {low} to {high} points, 95 %, {len(change.values)} seeds'
            parts.append(f'{titles[reference]}: {show_percent(scores[reference])} ({said})')
        if 'cda' in scores and 'cda' not in (leader, reference):
            parts.append(f'{titles["cda"]}: {show_percent(scores["cda"])}')
        yield f'{"; ".join(parts)}.'


def answers_of_left_out(outcomes: Outcomes, sites: Sites) -> Iterator[str]:
    """Every method's average over the sites left out."""
    parts = []
    for name, method in LEFT_OUT_BASES.items():
        if average := out.mean_of(left_out_scores(outcomes, name, sites, 'accuracy')):
            parts.append(f'{method.title} {show_percent(average)}')
    if parts:
        yield f'Accuracy on the site left out, averaged over the sites: {"; ".join(parts)}.'


def answers_of_demonstration(outcomes: Outcomes) -> Iterator[str]:
    """One sentence that says what happened; nothing unless both methods have a run."""
    names = 'baseline', 'cda-robust'
    if not outcomes.keys() >= set(names):
        return
    accuracy, recall, probe = (
        [out.over_seeds(outcomes[name], figure) for name in names]
        for figure in ('accuracy', 'mean_recall', 'linear probe')
    )
    changes = [f'{100 * (after.mean - before.mean):+.1f}' for before, after in (accuracy, recall)]
    said = f'accuracy changes by {changes[0]} points on average, mean recall by {changes[1]}'
    adapted = outcomes['cda-robust']
    if all(probe):
        before, after, chance = map(show_percent, (*probe, adapted[0].figures['chance']))
        what = f'a fresh probe names the site of {after} instead of {before} of the features'
        said = f'{what} (guessing: {chance}); {said}'
    yield f'With adaptation {said} ({len(adapted)} seed{"s" * (len(adapted) > 1)}).'
