"""What is wrong with a run, in written sentences, at its end and while it is trained."""

import math
from collections.abc import Iterator, Sequence

from cda_jax.analysis.health.judgements import Setup, of_game, of_gradient, of_learning

# What is judged together: a quarter of the run, and at least so many lines, as each is one batch.
# Fewer where it is about the gradient, which may destroy a run early on.
_STRETCH, _MIN_LINES, _MIN_GRADIENT_LINES = 0.25, 8, 4


class Watch:
    """Judges the lines of a run that goes on, after the earlier ones, and says each thing once."""

    def __init__(self, setup: Setup, earlier: Sequence[dict] = ()):
        self._setup, self._said = setup, set()
        self._lines = [line for line in earlier if line['kind'] == 'train']

    def __call__(self, step: int, figures: dict[str, float]) -> list[str]:
        """Takes the metrics of a step, and returns what of `health_warnings` is new.

        Only the last stretch is judged, so that a long run does not wait for it.
        """
        self._lines.append({'step': step} | figures)
        found = {
            sentence.partition(': from step ')[0]: sentence
            for sentence in _judge(self._lines, self._setup, is_over=False)
        }
        new = {kind: sentence for kind, sentence in found.items() if kind not in self._said}
        self._said |= new.keys()
        return list(new.values())


def health_warnings(lines: Sequence[dict], setup: Setup) -> list[str]:
    """What went wrong in a run, in written sentences; there are none for a healthy one.

    `judgements.py` has every threshold with its reason. Each judgement rests on a quarter of the
    run's lines, and at least 8 of them (4 where it is about the emotion classifiers' gradient); a
    shorter run gets none, and what compares the end with the first 8 lines needs 16. Who has the
    gradient, and whether the reversed one dominates, is judged over any stretch, all else at the
    end.

    None of this shows that the features are free of the sites: only a fresh probe does, as
    `cda_jax.analysis.bias.measure_bias` trains it.

    Lines are as from `read_metrics`.
    """
    lines = [line for line in lines if line['kind'] == 'train']
    return list(_judge(lines, setup, is_over=True))


def _judge(lines: Sequence[dict], setup: Setup, *, is_over: bool) -> Iterator[str]:
    """Sentences about any stretch of a run that is over, else about the last one."""
    stretch = math.ceil(_STRETCH * len(lines))
    size, gradient_size = max(_MIN_LINES, stretch), max(_MIN_GRADIENT_LINES, stretch)
    if len(lines) >= gradient_size:
        some = lines if is_over else lines[-gradient_size:]
        yield from of_gradient(some, gradient_size, setup)
    end = lines[-size:]
    if len(end) < size or (not is_over and end[0]['step'] < setup.early_steps):
        return
    yield from of_learning(lines[:_MIN_LINES], end, setup)
    of_d = [line for line in (lines if is_over else end) if 'loss_dataset' in line]
    if setup.num_sites and len(of_d) >= size:
        yield from of_game(of_d, size, setup.num_sites)
