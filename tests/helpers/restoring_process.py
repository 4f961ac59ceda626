"""One of several processes that resume together: `restoring_process.py PORT COUNT INDEX FOLDER`.

A program of its own, because each process has its own JAX.
"""

import functools
import sys

import jax
from helpers.three_steps import make_recipe

from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.step import init_state


def main(port: str, count: str, index: str, folder: str) -> None:
    """Resumes, and prints what it has come to."""
    jax.distributed.initialize(f'localhost:{port}', int(count), int(index))
    like = jax.eval_shape(functools.partial(init_state, make_recipe(), seed=0))
    with Checkpoints(folder, keep=2) as checkpoints:
        state, data, step = checkpoints.resume(like)
    devices = {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(state)}
    print('resumed', step, data, 'on', devices)


if __name__ == '__main__':
    main(*sys.argv[1:])
