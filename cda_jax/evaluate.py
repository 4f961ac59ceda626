"""From a checkpoint to the confusion matrices of every test set."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from cda_jax import parallel
from cda_jax import workdir as workdirs
from cda_jax.checkpoint import Checkpoints
from cda_jax.data.pipeline import PartSource, Reading, eval_batches, padded_length
from cda_jax.data.sites import Part, Site, open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.experiment import build_model, check_image_size, class_names
from cda_jax.models import CDA
from cda_jax.results import format_results, summarise, write_results
from cda_jax.step import eval_step


class TestSet(NamedTuple):
    """Examples to evaluate on, and who answers.

    Attributes:
        part: The records.
        heads: Names and numbers of the emotion classifiers that are asked, the one that answers
            first. The number H, one past the last, stands for the mean of all.
        site_index: Number of the site among those trained on; -1 if it is none of them.
        label: What to put in place of the recorded labels, or None.
    """

    part: Part
    heads: dict[str, int]
    site_index: int
    label: int | None


def evaluate(config: ConfigDict, workdir: Path) -> dict:
    """Evaluates a checkpoint of a run on the config's test sets, prints and writes the results.

    The checkpoint is the best in validation where there was validation, else the last. Results on
    other test sites than the run's own are written under a name of their own.

    Args:
        config: Its network is the run's; test sites, data and devices may be others.
        workdir: Of the run.

    Returns:
        The results, as `summarise` gives them.

    Raises:
        InputError: There is no checkpoint of this network, or the test data cannot be used.
    """
    workdirs.check_network(workdir, config)
    parallel.check_batch_size(config.batch_size)
    test_sets = open_test_sets(config)
    model = build_model(config, _num_classes(config, test_sets))
    with Checkpoints(workdir / 'checkpoints') as checkpoints:
        step = chosen_step(checkpoints)
        if step is None:
            raise InputError(f'{workdir}/checkpoints: no checkpoint; expected one of a run')
        weights = checkpoints.restore_weights(step, _abstract_weights(model, config.image_size))
    results = evaluate_weights(config, lift(model, config), weights, test_sets, step)
    names = tuple(config.test_sites or config.sites)
    own = names == workdirs.trained_test_sites(workdir)
    if jax.process_index() == 0:
        write_results(workdir, results, 'results' if own else f'results-{"-".join(names)}')
        print(format_results(results), flush=True)
    return results


def chosen_step(checkpoints: Checkpoints) -> int | None:
    """The checkpoint that results are reported of: the best in validation, else the last."""
    best = checkpoints.best_step()
    return checkpoints.latest_step() if best is None else best


def lift(model: CDA, config: ConfigDict) -> Callable:
    """The evaluation step over all devices."""
    return parallel.lift_eval_step(
        functools.partial(eval_step, model=model, image_size=config.image_size)
    )


def open_test_sets(config: ConfigDict, split: str = 'test') -> list[TestSet]:
    """Opens what the config evaluates on.

    Args:
        config: Checked by `check_config`.
        split: 'test', of the test sites; or 'validation', of the training sites.

    Raises:
        InputError: Some of the data is missing or does not fit.
    """
    sites = tuple(config.sites)
    names = tuple(config.test_sites) or sites if split == 'test' else sites
    opened = open_sites(config.data_dir, names)
    check_image_size(config, opened)
    return [_test_set(config, site, sites, split) for site in opened]


def evaluate_weights(
    config: ConfigDict, step_over_devices: Callable, weights: dict, test_sets: list, step: int
) -> dict:
    """Evaluates weights on test sets; every process gets the results.

    Args:
        config: How to read.
        step_over_devices: Of `lift`.
        weights: `params` and `batch_stats`, replicated.
        test_sets: Of `open_test_sets`.
        step: Steps done, for the results.
    """
    confusions = {}
    for test_set in test_sets:
        counts = _confusions(config, step_over_devices, weights, test_set)
        confusions[test_set.part.site.name] = {
            head: counts[number] for head, number in test_set.heads.items()
        }
    names = class_names(config, [test_set.part.site for test_set in test_sets])
    return summarise(confusions, names, step)


def _test_set(config, site: Site, trained: tuple[str, ...], split: str) -> TestSet:
    known = site.name in trained
    index = trained.index(site.name) if known else -1
    if config.shared_head:
        heads = {'shared': 0}
    else:
        heads = ({'own': index} if known else {}) | {'mean': len(trained)}
    return TestSet(
        part=open_part(site, split, config.validation_fraction),
        heads=heads,
        site_index=index,
        label=index if config.target == 'site' else None,
    )


def _confusions(config, step_over_devices, weights, test_set) -> np.ndarray:
    """int64[H + 1, C, C] over all examples of a test set."""
    reading = Reading(
        batch_size=config.batch_size,
        num_workers=0,  # a test set is read in less time than workers take to start
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    length = padded_length(len(test_set.part.records), config.batch_size)
    source = PartSource(test_set.part, test_set.site_index, test_set.label, length)
    total = None
    for batch in parallel.prefetch(eval_batches(source, reading)):
        counts = step_over_devices(weights, batch)
        total = counts if total is None else total + counts
        if parallel.must_wait_each_step():
            total.block_until_ready()
    return np.asarray(jax.device_get(total), np.int64)


def _num_classes(config, test_sets):
    return len(class_names(config, [test_set.part.site for test_set in test_sets]))


def _abstract_weights(model, image_size):
    def init():
        zeros = jnp.zeros((2, image_size, image_size, 3)), jnp.zeros((2, model.num_classes))
        key = jax.random.key(0)
        return model.init(key, *zeros, 0.0, 0.0, jax.random.split(key, 2))

    return jax.eval_shape(init)
