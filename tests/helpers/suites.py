"""Runs of a suite that were never trained, with results as if they had been."""

import json
import time

import numpy as np

from cda_jax.evaluate import score_confusions
from cda_jax.runtime.results import write_results
from cda_jax.suites.methods import methods_of
from cda_jax.suites.plan import plan
from cda_jax.suites.reproduce import Request

SITES = ('rafdb', 'expw', 'affectnet')


def runs_of(suite, folder, scale='small', seeds=1):
    """The titles of a suite's methods by name, and their runs."""
    methods = methods_of(suite, SITES, papers_scale=scale == 'full')
    fields = {'sites': SITES, 'test_sites': SITES, 'data_dir': 'somewhere'}
    titles = {name: method.title for name, method in methods.items()}
    return titles, plan(methods, seeds, folder, scale, fields)


def report_of(suite, out, data_dir):
    return Request(suite, 'small', out, str(data_dir), SITES, 1, (), 1, (), report_only=True)


def pretend(run, hits, bias=None):
    """Leaves what a training leaves: so many of the first class's 10 faces right on each site.

    The 10 faces of the second class are right always.
    """
    run.workdir.mkdir(parents=True)
    confusions = {
        site: {'shared': np.array([[n, 10 - n], [0, 10]])}
        for site, n in zip(SITES, hits, strict=True)
    }
    write_results(run.workdir, score_confusions(confusions, ('Fear', 'Anger'), step=1))
    line = {'kind': 'train', 'step': 1, 'epoch': 3.0, 'loss_emotion': 2.0}
    line |= {'gradient_share_rafdb': 0.5, 'largest_gradient_share': 0.1}
    (run.workdir / 'metrics.jsonl').write_text(f'{json.dumps(line)}\n')
    if bias:
        (run.workdir / 'bias.json').write_text(json.dumps(bias))


def kill_once(program, is_there):
    """Kills a program as soon as what it is to leave is there, which it must not outrun."""
    end = time.monotonic() + 200
    while not is_there():
        assert time.monotonic() < end
        assert program.poll() is None
        time.sleep(0.05)
    program.kill()
    program.communicate()
