"""A trained network and test sets -> features and confusion matrices -> results."""

import contextlib
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import jax
import numpy as np

from cda_jax.analysis import features as of_sets
from cda_jax.analysis.features import EvaluationSet, Features, write_features
from cda_jax.config import NETWORK, Config, as_fields
from cda_jax.data.examples import Examples, is_kept
from cda_jax.data.pipeline import eval_batches
from cda_jax.data.sites import check_image_size, open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.experiment import agreement_facts, class_names, reading
from cda_jax.losses import adjust_logits
from cda_jax.metrics import score
from cda_jax.models import CDA
from cda_jax.runtime import devices
from cda_jax.runtime import workdir as workdirs
from cda_jax.runtime.multihost import check_agreement, together
from cda_jax.runtime.results import Averages, HeadScores, Results, format_results, write_results
from cda_jax.step import eval_step, predict
from cda_jax.trained import Trained, load_trained


def evaluate(config: Config, workdir: Path, split: str = 'test') -> Results:
    """Evaluates a checkpoint of a run on the config's test sites, prints and writes the results.

    The checkpoint is the best in validation where there was validation, else the last. Results on
    other test sites than the run's own, on their 'validation' split, before the end of its
    training, or beside damaged checkpoints, are written under a name of their own.

    The config's network must be the run's; test sites, data and devices may be others.

    Raises InputError if there is no checkpoint of this network, or the test data cannot be used.
    """
    check_agreement(agreement_facts(config), workdir)
    trained, test_sets = _load_with_test_sets(config, workdir, split)
    evaluation = over_devices(trained.model, config, trained.training.head_class_counts)
    stem = _file_stem(config, workdir, trained, split)
    keep_in = workdir if stem == workdirs.RESULTS else None
    weights, step = trained.weights, trained.step
    results = evaluate_weights(config, evaluation, weights, test_sets, step, keep_in)
    if jax.process_index() == 0:
        print(format_results(results), flush=True)
        write_results(workdir, results, stem)
    return results


def features_of_run(config: Config, workdir: Path) -> Features:
    """The features of a run's test sets at the checkpoint that its results are of.

    They are those of its features.npz where that is of the same weights, data and config.
    Otherwise they are computed, and written there.

    The config is the run's, though its test sites, data and devices may be others. One process
    computes them, without others beside it.

    Raises InputError if there is no checkpoint of this network, or the test data cannot be used.
    """
    trained, sets = _load_with_test_sets(config, workdir)
    parts = [each.part for each in sets]
    source = of_sets.digest_source(config, trained.weights, trained.step, parts)
    with contextlib.suppress(InputError):  # none there, or damaged
        if (stored := of_sets.read_features(workdir / workdirs.FEATURES)).source == source:
            return stored
    evaluation = over_devices(trained.model, config, trained.training.head_class_counts)
    features, _ = of_sets.extract(config, evaluation, trained.weights, sets, trained.step)
    write_features(workdir / workdirs.FEATURES, features)
    return features


def _load_with_test_sets(
    config: Config, workdir: Path, split: str = 'test'
) -> tuple[Trained, list[EvaluationSet]]:
    # With another fraction, validation data would be among those that the run was trained on.
    same = NETWORK if split == 'test' else NETWORK | {'validation_fraction'}
    with together():
        workdirs.check_network(workdir, as_fields(config), network=same)
        devices.check_batch_size(config.batch_size)
    trained = load_trained(workdir, config)
    with together():
        return trained, open_sets(config, tuple(trained.training.class_names), split)


def over_devices(model: CDA, config: Config, class_counts: Sequence[Sequence[int]]) -> Callable:
    """The evaluation step over all devices, with the logit adjustment that the config asks for.

    In one process it is `predict`; several sum up confusion counts by `eval_step`.
    """
    adjust = logit_adjustment(config.posthoc_tau, class_counts)
    settings = {'model': model, 'image_size': config.image_size, 'adjust': adjust}
    if jax.process_count() == 1:
        return devices.lift_rows(functools.partial(predict, **settings))
    return devices.lift(functools.partial(eval_step, axis_name=devices.AXIS, **settings))


def logit_adjustment(tau: float, class_counts: Sequence[Sequence[int]]) -> Callable | None:
    """`adjust_logits` of each emotion classifier by its own training counts.

    It is a function of float32[H, B, C]; None at a strength `tau` of 0.
    """
    if not tau:
        return None
    counts = np.array(class_counts, np.float32)
    of_every_head = jax.vmap(functools.partial(adjust_logits, tau=tau))
    return lambda logits: of_every_head(logits, counts)


def open_sets(
    config: Config,
    expected_classes: tuple[str, ...],
    split: str = 'test',
    names: tuple[str, ...] = (),
) -> list[EvaluationSet]:
    """Opens the test or validation data of the sites of these names, by default the test sites.

    Examples of classes other than the expected ones are left out, which a warning says. A site
    without labels takes part with labelled test examples alone.

    Raises InputError if some of the data is missing or does not fit.
    """
    names = names or config.test_sites or config.sites
    opened = open_sites(config.data_dir, names, expected_classes)
    check_image_size(opened, config.image_size)
    opened = [
        site
        for site in opened
        if not site.manifest.unlabelled
        or (split == 'test' and site.manifest.splits['test'].num_examples)
    ]
    if not opened:
        raise InputError(f'no labels in the {split} data of {", ".join(names)}; expected some')
    for site in opened:
        others = set(site.manifest.class_names) - set(expected_classes)
        if others and jax.process_index() == 0:
            print(
                f'warning: {site.folder}: examples of {", ".join(sorted(others))} are left out, '
                'because no site of the training has that class',
                file=sys.stderr,
            )
    parts = [open_part(site, split, config.validation_fraction) for site in opened]
    # Test sets are read once.
    keep = split != 'test' and is_kept(config.keep_decoded, parts, jax.process_count())
    sets = []
    for part in parts:
        name = part.site.name
        index = config.sites.index(name) if name in config.sites else -1
        examples = Examples([part], [index], label_is_site=config.target == 'site', keep=keep)
        heads = site_heads(config, -1 if part.site.manifest.unlabelled else index)
        sets.append(EvaluationSet(part, examples, heads))
    return sets


def evaluate_weights(
    config: Config,
    evaluation: Callable,
    weights: dict,
    sets: list[EvaluationSet],
    step: int,
    keep_in: Path | None = None,
) -> Results:
    """Evaluates weights by the step of `over_devices`; every process gets the results.

    A single process also keeps the features, in the workdir `keep_in`, if there is one.
    """
    if jax.process_count() > 1:
        counts = [_summed_confusions(config, evaluation, weights, entry) for entry in sets]
    elif keep_in is None:
        found = (of_sets.predict_set(config, evaluation, weights, entry) for entry in sets)
        counts = [of_sets.confuse(*pair, config) for pair in zip(sets, found, strict=True)]
    else:
        features, counts = of_sets.extract(config, evaluation, weights, sets, step)
        write_features(keep_in / workdirs.FEATURES, features)
    confusions = {
        entry.part.site.name: {head: of_set[number] for head, number in entry.heads.items()}
        for entry, of_set in zip(sets, counts, strict=True)
    }
    names = class_names(config, sets[0].part.site.class_names)
    places = {entry.part.site.name: entry.part.site.places for entry in sets}
    return score_confusions(confusions, names, step, places if config.target == 'label' else {})


def score_confusions(
    confusions: Mapping[str, Mapping[str, np.ndarray]],
    class_names: Sequence[str],
    step: int,
    places: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> Results:
    """Computes all scores of an evaluation.

    Args:
        confusions: int[C, C] by test site and head; a site's first head is the one that answers.
        places: By test site, the classes that it has, as of `Site.places`; others have no precision
            there. By default all.
    """
    test_sites = {
        site: {head: _head_scores(confusion, places.get(site)) for head, confusion in heads.items()}
        for site, heads in confusions.items()
    }
    answers = [next(iter(heads.values())) for heads in test_sites.values()]
    means = {
        name: float(np.mean([getattr(scores, name) for scores in answers]))
        for name in Averages.__struct_fields__
    }
    return Results(
        step=step,
        class_names=list(class_names),
        test_sites=test_sites,
        average=Averages(**means),
        pooled=_head_scores(np.sum([scores.confusion for scores in answers], axis=0)),
    )


def _head_scores(confusion: np.ndarray, places: np.ndarray | None = None) -> HeadScores:
    scores = score(confusion)._asdict()
    if places is not None:
        scores['precision'][np.setdiff1d(np.arange(len(confusion)), places)] = np.nan
    for name in ('recall', 'precision'):
        scores[name] = [None if np.isnan(share) else float(share) for share in scores[name]]
    return HeadScores(**scores, confusion=np.asarray(confusion).tolist())


def _file_stem(config: Config, workdir: Path, trained: Trained, split: str) -> str:
    trained_with = workdirs.read_fields(workdir)
    names = config.test_sites or config.sites
    parts = [workdirs.RESULTS]
    if names != tuple(trained_with['test_sites'] or trained_with['sites']):
        parts += names
    if split != 'test':
        parts.append(split)
    if config.posthoc_tau != trained_with['posthoc_tau']:
        parts.append(f'tau{config.posthoc_tau:g}')
    if trained.training.batches_read < trained.training.total_steps:
        parts.append(f'step{trained.training.batches_read}')
    elif trained.faults:
        parts.append(f'step{trained.step}')
    return '-'.join(parts)


def site_heads(config: Config, site_index: int) -> dict[str, int]:
    """Who answers for a site, -1 for one that was not trained on, as `EvaluationSet.heads`."""
    if config.shared_head:
        return {'shared': 0}
    num_sites = len(config.sites)
    own = {'own': site_index} if site_index >= 0 else {}
    if not config.common_head:
        return own | {'mean': num_sites}
    return own | {'common': num_sites, 'mean': num_sites + 1}


def _summed_confusions(config, evaluation, weights, entry: EvaluationSet) -> np.ndarray:
    """int64[H + 1, C, C] over all examples of a set, in several processes."""
    batches = devices.prefetch(eval_batches(entry.examples, reading(config)))
    total = 0
    for counts in (evaluation(weights, batch) for batch in batches):
        total = total + counts
        if devices.must_wait_each_step():
            total.block_until_ready()
    return np.asarray(jax.device_get(total), np.int64)
