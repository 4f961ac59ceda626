"""From a checkpoint to the confusion matrices of every test set."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from cda_jax.data.pipeline import PartSource, eval_batches, padded_length
from cda_jax.data.sites import Part, Site, open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.experiment import check_image_size, class_names, reading
from cda_jax.losses import adjust_logits
from cda_jax.models import CDA
from cda_jax.runtime import devices
from cda_jax.runtime import workdir as workdirs
from cda_jax.runtime.agreement import check_agreement
from cda_jax.runtime.results import format_results, summarise, write_results
from cda_jax.step import eval_step
from cda_jax.trained import restore_network

# From so many examples on, workers read a set in less time than they take to start.
_WORTH_WORKERS = 20_000


class EvaluationSet(NamedTuple):
    """Examples to evaluate on, and who answers.

    Attributes:
        part: The records.
        heads: Names and numbers of the emotion classifiers that are asked, the one that answers
            first. The number H, one past the last, stands for the mean of the sites' own.
        site_index: Number of the site among those trained on; -1 if it is none of them.
        label: What to put in place of the recorded labels, or None.
    """

    part: Part
    heads: dict[str, int]
    site_index: int
    label: int | None


class Trained(NamedTuple):
    """A checkpoint, and what to test it on.

    Attributes:
        model: The network.
        weights: Its `params` and `batch_stats`, on all devices.
        step: Steps done at the checkpoint.
        training: What the newest checkpoint says of the training, as `data_position`.
        test_sets: Of the config's test sites.
        second_choice: Whether another checkpoint, now damaged, might have been chosen.
    """

    model: CDA
    weights: dict
    step: int
    training: dict
    test_sets: list[EvaluationSet]
    second_choice: bool


def evaluate(config: ConfigDict, workdir: Path) -> dict:
    """Evaluates a checkpoint of a run on the config's test sites, prints and writes the results.

    The checkpoint is the best in validation where there was validation, else the last. Results on
    other test sites than the run's own, before the end of its training, or beside damaged
    checkpoints, are written under a name of their own.

    Args:
        config: Its network is the run's; test sites, data and devices may be others.
        workdir: Of the run.

    Returns:
        The results, as `summarise` gives them.

    Raises:
        InputError: There is no checkpoint of this network, or the test data cannot be used.
    """
    check_agreement(config, workdir)
    trained = restore(config, workdir)
    step_over_devices = lift(trained.model, config, trained.training['head_class_counts'])
    results = evaluate_weights(
        config, step_over_devices, trained.weights, trained.test_sets, trained.step
    )
    if jax.process_index() == 0:
        print(format_results(results), flush=True)
        write_results(workdir, results, _file_stem(config, workdir, trained))
    return results


def restore(config: ConfigDict, workdir: Path) -> Trained:
    """Restores what evaluation needs of a run, and opens the config's test sites.

    Args:
        config: Its network is the run's; test sites, data and devices may be others.
        workdir: Of the run.

    Raises:
        InputError: There is no checkpoint of this network, or the test data cannot be used.
    """
    workdirs.check_network(workdir, config)
    devices.check_batch_size(config.batch_size)
    network = restore_network(config, workdir)
    test_sets = open_sets(config, tuple(network.training['class_names']))
    return Trained(
        network.model,
        network.weights,
        network.step,
        network.training,
        test_sets,
        second_choice=bool(network.faults),
    )


def _file_stem(config, workdir, trained: Trained) -> str:
    names = tuple(config.test_sites or config.sites)
    parts = ['results']
    trained_with = workdirs.read_config(workdir)
    if names != tuple(trained_with['test_sites'] or trained_with['sites']):
        parts += names
    if config.posthoc_tau != trained_with['posthoc_tau']:
        parts.append(f'tau{config.posthoc_tau:g}')
    if trained.training['batches_read'] < trained.training['total_steps']:
        parts.append(f'step{trained.training["batches_read"]}')
    elif trained.second_choice:
        parts.append(f'step{trained.step}')
    return '-'.join(parts)


def lift(model: CDA, config: ConfigDict, class_counts: Sequence[Sequence[int]]) -> Callable:
    """The evaluation step over all devices.

    Args:
        model: The network.
        config: Of the evaluation; its `posthoc_tau` is the strength of the logit adjustment.
        class_counts: H times C, the training examples that each emotion classifier has seen.
    """
    return devices.lift_eval_step(
        functools.partial(
            eval_step,
            model=model,
            image_size=config.image_size,
            axis_name=devices.AXIS,
            adjust=logit_adjustment(config.posthoc_tau, class_counts),
        )
    )


def logit_adjustment(tau: float, class_counts: Sequence[Sequence[int]]) -> Callable | None:
    """The post-hoc adjustment of each emotion classifier's logits by its own training counts.

    Source: Menon et al. (2021); see `cda_jax.losses.adjust_logits`.

    Args:
        tau: Strength; 0 is none.
        class_counts: H times C.

    Returns:
        Function of float32[H, B, C], or None.
    """
    if not tau:
        return None
    counts = np.array(class_counts, np.float32)
    of_every_head = jax.vmap(functools.partial(adjust_logits, tau=tau))
    return lambda logits: of_every_head(logits, counts)


def open_sets(
    config: ConfigDict, expected_classes: tuple[str, ...], split: str = 'test'
) -> list[EvaluationSet]:
    """Opens what the config evaluates on.

    Args:
        config: Checked by `check_config`.
        expected_classes: Names of the labels in training.
        split: 'test', of the test sites; or 'validation', of the training sites.

    Raises:
        InputError: Some of the data is missing or does not fit.
    """
    sites = tuple(config.sites)
    names = tuple(config.test_sites) or sites if split == 'test' else sites
    opened = open_sites(config.data_dir, names)
    check_image_size(config, opened)
    for site in opened:
        if site.manifest.class_names != expected_classes:
            raise InputError(
                f'{site.folder}/manifest.json: class_names is {site.manifest.class_names}, '
                f'expected {expected_classes} as in training'
            )
    return [_evaluation_set(config, site, sites, split) for site in opened]


def evaluate_weights(
    config: ConfigDict, step_over_devices: Callable, weights: dict, sets: list, step: int
) -> dict:
    """Evaluates weights; every process gets the results.

    Args:
        config: How to read.
        step_over_devices: Of `lift`.
        weights: `params` and `batch_stats`, replicated.
        sets: Of `open_sets`.
        step: Steps done, for the results.
    """
    confusions = {}
    for entry in sets:
        counts = _confusions(config, step_over_devices, weights, entry)
        confusions[entry.part.site.name] = {
            head: counts[number] for head, number in entry.heads.items()
        }
    return summarise(confusions, class_names(config, [sets[0].part.site]), step)


def _evaluation_set(config, site: Site, trained: tuple[str, ...], split: str) -> EvaluationSet:
    known = site.name in trained
    index = trained.index(site.name) if known else -1
    return EvaluationSet(
        part=open_part(site, split, config.validation_fraction),
        heads=_heads(config, index),
        site_index=index,
        label=index if config.target == 'site' else None,
    )


def _heads(config, site_index: int) -> dict[str, int]:
    if config.shared_head:
        return {'shared': 0}
    num_sites = len(config.sites)
    own = {'own': site_index} if site_index >= 0 else {}
    if not config.common_head:
        return own | {'mean': num_sites}
    return own | {'common': num_sites, 'mean': num_sites + 1}


def _confusions(config, step_over_devices, weights, entry: EvaluationSet) -> np.ndarray:
    """int64[H + 1, C, C] over all examples of a set."""
    num_examples = len(entry.part.records)
    length = padded_length(num_examples, config.batch_size)
    source = PartSource(entry.part, entry.site_index, entry.label, length)
    num_workers = config.num_workers if num_examples >= _WORTH_WORKERS else 0
    total = None
    for batch in devices.prefetch(eval_batches(source, reading(config, num_workers))):
        counts = step_over_devices(weights, batch)
        total = counts if total is None else total + counts
        if devices.must_wait_each_step():
            total.block_until_ready()
    return np.asarray(jax.device_get(total), np.int64)
