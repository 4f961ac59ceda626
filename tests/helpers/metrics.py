"""Lines of a log, and a place in the data, of runs that never were."""

import math

import numpy as np

from cda_jax.data.position import DataPosition


def lines_of_run(num_sites=3, count=40, **changes):
    """A healthy game, in which a rising lambda drives d to chance.

    A change is a value of all lines or one value per line; NaN becomes null, and None leaves the
    figure out.
    """
    progress = np.linspace(0, 1, count)
    skill = np.exp(-3 * progress)
    accuracy = (1 + 0.8 * skill * (num_sites - 1)) / num_sites
    columns = {
        'loss_emotion': 4 * skill,
        'loss_label': 0.5 * skill,
        'loss_dataset': math.log(num_sites) * (1 - 0.6 * skill),
        'accuracy_emotion': 0.3 + 0.6 * progress,
        'pseudo_label_agreement': 0.8 + 0.2 * progress,
        'accuracy_dataset': accuracy,
        'balanced_accuracy_dataset': accuracy,
        'largest_share_dataset': 1.4 / num_sites,
        'reversed_gradient_ratio': 0.5 * progress,
        'lambda_1': progress,
        'lambda_2': progress,
        'learning_rate': 0.1 * (1 - progress),
    } | changes
    lines = [{'kind': 'train', 'step': 20 * n, 'epoch': n / 2} for n in range(1, count + 1)]
    for name, values in columns.items():
        if values is not None:
            for line, value in zip(lines, np.broadcast_to(values, count).tolist(), strict=True):
                line[name] = None if math.isnan(value) else value
    return lines


def position_of_two_sites(head_class_counts, **fields):
    """What a checkpoint of a run over two sites says, of which the first has three quarters."""
    return DataPosition(
        batches_read=0,
        total_steps=100,
        batch_size=64,
        seed=0,
        site_shares=[3.0, 1.0],
        class_names=['x', 'y'],
        head_class_counts=head_class_counts,
        sites={},
        **fields,
    )
