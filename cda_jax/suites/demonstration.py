"""What adaptation did: a baseline and the recommended method, side by side."""

from collections.abc import Iterator, Mapping, Sequence

from cda_jax.analysis.tables import Column, Table, show_percent
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import BASELINE, ROBUST
from cda_jax.suites.outcomes import Outcomes


def side_by_side(titles: Mapping[str, str], outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """A figure a row, a method a column under its title."""
    figures = {f'accuracy, {site}': out.of_site(site, 'accuracy') for site in sites}
    figures['accuracy, average'] = out.average('accuracy')
    figures['accuracy against the truth'] = out.average_true_accuracy
    for site in sites:
        figures[f'mean recall, {site}'] = out.of_site(site, 'mean_recall')
        figures[f'spread of recall, {site}'] = out.of_site(site, 'recall_sd')
    figures['mean recall, average'] = out.average('mean_recall')
    figures['site named by a probe'] = out.probe()
    rows = [
        (title, *(out.over_seeds(outcomes.get(name, []), figure) for name in titles))
        for title, figure in figures.items()
    ]
    return Table(
        'side-by-side',
        'What adaptation did',
        (Column('Figure'), *(Column(title, 'percent') for title in titles.values())),
        [row for row in rows if any(row[1:])],
        'Of the classifier that answers for the site, on its test set. Spread: standard deviation '
        "over the classes. Truth: what was drawn, instead of the annotators' labels. A probe is a "
        'linear classifier that is trained on the finished features.',
    )


def answers_of_demonstration(outcomes: Outcomes) -> Iterator[str]:
    """One sentence that says what happened; nothing unless both methods have a run."""
    (baseline,), (robust,) = BASELINE, ROBUST
    if not {baseline, robust} <= outcomes.keys():
        return

    def before_and_after(figure):
        return [out.over_seeds(outcomes[name], figure) for name in (baseline, robust)]

    def change(figure):
        before, after = before_and_after(figure)
        return f'{100 * (after.mean - before.mean):+.1f}'

    parts = []
    before, after = before_and_after(out.probe())
    if before and after:
        parts.append(
            f'a fresh probe names the site of {show_percent(after)} instead of '
            f'{show_percent(before)} of the features (guessing: '
            f'{show_percent(out.chance(outcomes[robust][0]))})'
        )
    parts.append(
        f'accuracy changes by {change(out.average("accuracy"))} points on average, mean recall by '
        f'{change(out.average("mean_recall"))}'
    )
    seeds = len(outcomes[robust])
    yield f'With adaptation {"; ".join(parts)} ({seeds} seed{"s" * (seeds > 1)}).'
