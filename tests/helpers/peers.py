"""One of several processes without a network to train: `peers.py HOST:PORT NUM_PROCESSES ID`.

It counts examples as an evaluation does, talks to the others, and works on until it is stopped.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from cda_jax.data.examples import PADDING
from cda_jax.data.pipeline import Reading, eval_batches
from cda_jax.runtime import devices, multihost
from cda_jax.runtime.devices import AXIS
from cda_jax.runtime.launch import Place, joined

EXAMPLES, BATCH_SIZE = 37, 16  # which does not divide
ROWS = 48


class Numbered:
    """Examples that are nothing but their number, and masked out where they are padding."""

    folders = ()

    def __len__(self) -> int:
        return EXAMPLES

    def batch(self, numbers: np.ndarray) -> dict:
        return {'label': numbers % ROWS, 'mask': numbers != PADDING}


def count_each(weights: None, batch: dict) -> jax.Array:
    """How often each example is seen, over all devices; padding would count as the last."""
    del weights
    seen = jax.nn.one_hot(batch['label'], ROWS, dtype=jnp.int32)
    return jax.lax.psum((seen * batch['mask'][:, None]).sum(axis=0), AXIS)


def main(coordinator: str, num_processes: int, process: int) -> None:
    with joined(Place(coordinator, num_processes, process), timeout=60):
        step = devices.lift(count_each)
        batches = eval_batches(Numbered(), Reading(BATCH_SIZE, 1, process, num_processes))
        counts = np.sum([step(None, batch) for batch in devices.prefetch(batches)], axis=0)
        learned = {
            'counts': counts.tolist(),
            'all': multihost.all_processes([process != k for k in range(num_processes + 1)]),
            'texts': multihost.gather_texts('ä' * process),
        }
        print(json.dumps(learned), flush=True)
        while multihost.all_processes([True])[0]:
            time.sleep(0.1)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
