"""A trained network and test sets -> confusion matrices -> results."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from cda_jax.config import NETWORK, Config, as_fields
from cda_jax.data.examples import Examples
from cda_jax.data.pipeline import eval_batches
from cda_jax.data.sites import Part, Site, open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.experiment import agreement_facts, check_image_size, class_names, reading
from cda_jax.losses import adjust_logits
from cda_jax.metrics import score
from cda_jax.models import CDA
from cda_jax.runtime import devices
from cda_jax.runtime import workdir as workdirs
from cda_jax.runtime.multihost import check_agreement, together
from cda_jax.runtime.results import (
    Averages,
    HeadScores,
    Results,
    format_results,
    write_results,
)
from cda_jax.step import eval_step
from cda_jax.trained import Trained, load_trained


class EvaluationSet(NamedTuple):
    """Examples to evaluate on, and who answers.

    Attributes:
        part: The records.
        heads: Names and numbers of the emotion classifiers that are asked, the one that answers
            first. The number H, one past the last, stands for the mean of the sites' own.
        site_index: Number of the site among those trained on; -1 if it is none of them.
        label_is_site: Whether that number is what there is to learn.
    """

    part: Part
    heads: dict[str, int]
    site_index: int
    label_is_site: bool


def evaluate(config: Config, workdir: Path) -> Results:
    """Evaluates a checkpoint of a run on the config's test sites, prints and writes the results.

    The checkpoint is the best in validation where there was validation, else the last. Results on
    other test sites than the run's own, before the end of its training, or beside damaged
    checkpoints, are written under a name of their own.

    The config's network must be the run's; test sites, data and devices may be others.

    Raises:
        InputError: There is no checkpoint of this network, or the test data cannot be used.
    """
    check_agreement(agreement_facts(config), workdir)
    trained, test_sets = load_with_test_sets(config, workdir)
    evaluation = over_devices(trained.model, config, trained.training.head_class_counts)
    results = evaluate_weights(config, evaluation, trained.weights, test_sets, trained.step)
    if jax.process_index() == 0:
        print(format_results(results), flush=True)
        write_results(workdir, results, _file_stem(config, workdir, trained))
    return results


def load_with_test_sets(config: Config, workdir: Path) -> tuple[Trained, list[EvaluationSet]]:
    """Loads a run's network and opens the config's test sites.

    Raises:
        InputError: There is no checkpoint of this network, or the test data cannot be used.
    """
    with together():
        workdirs.check_network(workdir, as_fields(config), network=NETWORK)
        devices.check_batch_size(config.batch_size)
    trained = load_trained(workdir, config)
    with together():
        return trained, open_sets(config, tuple(trained.training.class_names))


def over_devices(model: CDA, config: Config, class_counts: Sequence[Sequence[int]]) -> Callable:
    """The evaluation step over all devices, with the logit adjustment that the config asks for."""
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

    Returns:
        Function of float32[H, B, C]; None at a strength `tau` of 0.
    """
    if not tau:
        return None
    counts = np.array(class_counts, np.float32)
    of_every_head = jax.vmap(functools.partial(adjust_logits, tau=tau))
    return lambda logits: of_every_head(logits, counts)


def open_sets(
    config: Config, expected_classes: tuple[str, ...], split: str = 'test'
) -> list[EvaluationSet]:
    """Opens the test data of the test sites, or the validation data of the training sites.

    Raises:
        InputError: Some of the data is missing or does not fit.
    """
    names = config.test_sites or config.sites if split == 'test' else config.sites
    opened = open_sites(config.data_dir, names)
    check_image_size(config, opened)
    for site in opened:
        if site.manifest.class_names != expected_classes:
            raise InputError(
                f'{site.folder}/manifest.json: class_names is {site.manifest.class_names}, '
                f'expected {expected_classes} as in training'
            )
    return [_evaluation_set(config, site, split) for site in opened]


def evaluate_weights(
    config: Config, evaluation: Callable, weights: dict, sets: list[EvaluationSet], step: int
) -> Results:
    """Evaluates weights by the step of `over_devices`; every process gets the results."""
    confusions = {}
    for entry in sets:
        counts = _confusions(config, evaluation, weights, entry)
        confusions[entry.part.site.name] = {
            head: counts[number] for head, number in entry.heads.items()
        }
    label_names = sets[0].part.site.manifest.class_names
    return score_confusions(confusions, class_names(config, label_names), step)


def score_confusions(
    confusions: Mapping[str, Mapping[str, np.ndarray]], class_names: Sequence[str], step: int
) -> Results:
    """Computes all scores of an evaluation.

    Args:
        confusions: int[C, C] by test site and head; a site's first head is the one that answers.
        class_names: Names of the C classes.
        step: Steps done at the checkpoint.
    """
    test_sites = {
        site: {head: _head_scores(confusion) for head, confusion in heads.items()}
        for site, heads in confusions.items()
    }
    answers = [next(iter(heads.values())) for heads in test_sites.values()]
    return Results(
        step=step,
        class_names=list(class_names),
        test_sites=test_sites,
        average=Averages(
            *(
                float(np.mean([getattr(scores, name) for scores in answers]))
                for name in Averages.__struct_fields__
            )
        ),
        pooled=_head_scores(np.sum([scores.confusion for scores in answers], axis=0)),
    )


def _head_scores(confusion: np.ndarray) -> HeadScores:
    scores = score(confusion)._asdict()
    for name in ('recall', 'precision'):
        scores[name] = [None if np.isnan(share) else float(share) for share in scores[name]]
    return HeadScores(**scores, confusion=np.asarray(confusion).tolist())


def _file_stem(config: Config, workdir: Path, trained: Trained) -> str:
    trained_with = workdirs.read_fields(workdir)
    names = config.test_sites or config.sites
    parts = [workdirs.RESULTS]
    if names != tuple(trained_with['test_sites'] or trained_with['sites']):
        parts += names
    if config.posthoc_tau != trained_with['posthoc_tau']:
        parts.append(f'tau{config.posthoc_tau:g}')
    if trained.training.batches_read < trained.training.total_steps:
        parts.append(f'step{trained.training.batches_read}')
    elif trained.faults:
        parts.append(f'step{trained.step}')
    return '-'.join(parts)


def _evaluation_set(config: Config, site: Site, split: str) -> EvaluationSet:
    index = config.sites.index(site.name) if site.name in config.sites else -1
    return EvaluationSet(
        part=open_part(site, split, config.validation_fraction),
        heads=_heads(config, index),
        site_index=index,
        label_is_site=config.target == 'site',
    )


def _heads(config: Config, site_index: int) -> dict[str, int]:
    if config.shared_head:
        return {'shared': 0}
    num_sites = len(config.sites)
    own = {'own': site_index} if site_index >= 0 else {}
    if not config.common_head:
        return own | {'mean': num_sites}
    return own | {'common': num_sites, 'mean': num_sites + 1}


def _confusions(config, evaluation, weights, entry: EvaluationSet) -> np.ndarray:
    """int64[H + 1, C, C] over all examples of a set."""
    examples = Examples([entry.part], [entry.site_index], label_is_site=entry.label_is_site)
    total = None
    for batch in devices.prefetch(eval_batches(examples, reading(config))):
        counts = evaluation(weights, batch)
        total = counts if total is None else total + counts
        if devices.must_wait_each_step():
            total.block_until_ready()
    return np.asarray(jax.device_get(total), np.int64)
