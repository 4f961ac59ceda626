"""One of several processes that resume together: `restoring_process.py ADDRESS COUNT INDEX FOLDER`.

A program of its own, because each process has its own JAX.
"""

import sys

import jax
from helpers.checkpoints import small_state

from cda_jax.runtime.checkpoint import Checkpoints


def main(address: str, count: str, index: str, folder: str) -> None:
    jax.distributed.initialize(address, int(count), int(index))
    like = jax.eval_shape(lambda: small_state(0))
    with Checkpoints(folder, keep=2) as checkpoints:
        state, data, step = checkpoints.resume(like)
    devices = {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(state)}
    print('resumed', step, data, 'on', devices)


if __name__ == '__main__':
    main(*sys.argv[1:])
