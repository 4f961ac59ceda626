"""What a run has left in its workdir."""

import json
import warnings

import jax
import numpy as np
import orbax.checkpoint as ocp

from cda_jax.runtime.logs import TIMING
from cda_jax.trained import load_trained


def metrics(workdir):
    """The lines of the log, without what the clock says."""
    lines = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMING} for line in lines]


def saved_steps(workdir):
    """The steps of the checkpoints that are there, in order; not those that are being written."""
    names = [path.name for path in workdir.glob('checkpoints/*')]
    return sorted(int(name) for name in names if name.isdecimal())


def final_parameters(workdir):
    """Step and parameters of the newest checkpoint."""
    step, state = saved_state(workdir)
    return step, state['params']


def saved_state(workdir, step=None):
    """Step and state of a checkpoint, of the newest unless a step is given."""
    with ocp.CheckpointManager(workdir / 'checkpoints') as manager, warnings.catch_warnings():
        # No target is given, on purpose: whatever was saved is read, onto where it was.
        warnings.filterwarnings('ignore', 'Sharding info not provided')
        step = manager.latest_step() if step is None else step
        tree = manager.restore(step, args=ocp.args.Composite(state=ocp.args.PyTreeRestore()))
    return step, tree.state


def assert_same_bits(left, right):
    """Two trees are the same, bit for bit."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    jax.tree.map(np.testing.assert_array_equal, left, right)


def assert_same_end(left, right):
    """Two finished runs have the same weights, bit for bit, metrics and results."""
    ends = load_trained(left), load_trained(right)
    assert ends[0].step == ends[1].step
    assert_same_bits(ends[0].weights, ends[1].weights)
    assert metrics(left) == metrics(right)
    assert (left / 'results.json').read_text() == (right / 'results.json').read_text()
