"""What a suite found, in sentences."""

from collections.abc import Iterator, Mapping, Sequence

from cda_jax.analysis.tables import show_percent
from cda_jax.suites import outcomes as out
from cda_jax.suites import published
from cda_jax.suites.methods import BASELINE, LEFT_OUT_BASES, ROBUST
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.paper import titles_of
from cda_jax.suites.plan import Method
from cda_jax.suites.tables import left_out_scores, paired_difference


def answers_of_paper(outcomes: Outcomes, sites: Sequence[str]) -> Iterator[str]:
    """The paper's claims, beside what was measured."""
    titles = titles_of(sites)
    for label, figure, reported in (
        ('Accuracy averaged over the test sets', out.average('accuracy'), 'mean_accuracy'),
        ('Macro F1', out.average('macro_f1'), 'mean_f1'),
    ):
        parts = []
        for name, measured in out.by_method(outcomes, titles, figure).items():
            paper = published.TABLE_4.get(name)
            beside = f' (paper: {show_percent(getattr(paper, reported))})' if paper else ''
            parts.append(f'{titles[name]} {show_percent(measured)}{beside}')
        if parts:
            yield f'{label}: {"; ".join(parts)}.'
    if 'dataset-id' in outcomes:
        accuracy = out.over_seeds(outcomes['dataset-id'], out.at('results', 'pooled', 'accuracy'))
        yield (
            f'Name that dataset: a network is right about {show_percent(accuracy)} of the test '
            f'pictures (paper: {show_percent(published.DATASET_CLASSIFICATION_ACCURACY)}).'
        )
    if probes := out.by_method(outcomes, titles, out.probe()):
        chance = out.chance(outcomes[next(iter(probes))][0])
        parts = (f'{titles[name]} {show_percent(measured)}' for name, measured in probes.items())
        yield (
            'Dataset bias left in the features, by the balanced accuracy of a fresh linear probe '
            f'for the site (chance {show_percent(chance)}): {"; ".join(parts)}.'
        )


def answers_of_comparison(
    methods: Mapping[str, Method], outcomes: Outcomes, reference: str
) -> Iterator[str]:
    """Which method leads in what, and by how much against the reference."""
    for label, figure, best in (
        ('accuracy averaged over the test sets', out.average('accuracy'), max),
        ('macro F1', out.average('macro_f1'), max),
        ('accuracy against the true labels', out.average_true_accuracy, max),
        ('site left in the features (linear probe; lower is better)', out.probe(), min),
    ):
        scores = out.by_method(outcomes, methods, figure)
        if not scores:
            continue
        leader = best(scores, key=lambda name: scores[name].mean)
        parts = [f'Best {label}: {methods[leader].title}, {show_percent(scores[leader])}']
        if reference in scores and reference != leader:
            change, said = paired_difference(outcomes, leader, reference, figure), ''
            if change:
                low, high = (f'{100 * bound:+.1f}' for bound in change.interval)
                said = f'difference {low} to {high} points, 95 %, {len(change.values)} seeds'
            score = f'{methods[reference].title}: {show_percent(scores[reference])}'
            parts.append(f'{score} ({said or "one seed in common"})')
        if 'cda' in scores and 'cda' not in (leader, reference):
            parts.append(f'{methods["cda"].title}: {show_percent(scores["cda"])}')
        yield f'{"; ".join(parts)}.'


def answers_of_left_out(outcomes: Outcomes, sites: Sequence[str]) -> Iterator[str]:
    """Every method's average over the sites left out."""
    averages = {
        method.title: out.mean_of(left_out_scores(outcomes, name, sites, 'accuracy'))
        for name, method in LEFT_OUT_BASES.items()
    }
    parts = [f'{title} {show_percent(average)}' for title, average in averages.items() if average]
    if parts:
        yield f'Accuracy on the site left out, averaged over the sites: {"; ".join(parts)}.'


def answers_of_demonstration(outcomes: Outcomes) -> Iterator[str]:
    """One sentence that says what happened; nothing unless both methods have a run."""
    (baseline,), (robust,) = BASELINE, ROBUST
    if not {baseline, robust} <= outcomes.keys():
        return

    figures = out.average('accuracy'), out.average('mean_recall'), out.probe()
    accuracy, recall, probe = (
        [out.over_seeds(outcomes[name], figure) for name in (baseline, robust)]
        for figure in figures
    )
    changes = [f'{100 * (after.mean - before.mean):+.1f}' for before, after in (accuracy, recall)]
    said = f'accuracy changes by {changes[0]} points on average, mean recall by {changes[1]}'
    if all(probe):
        before, after = map(show_percent, probe)
        chance = show_percent(out.chance(outcomes[robust][0]))
        what = f'a fresh probe names the site of {after} instead of {before} of the features'
        said = f'{what} (guessing: {chance}); {said}'
    seeds = len(outcomes[robust])
    yield f'With adaptation {said} ({seeds} seed{"s" * (seeds > 1)}).'
