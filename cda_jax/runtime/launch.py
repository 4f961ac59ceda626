"""Joins several processes into one program.

An error ends the process that met it; then JAX's heartbeat ends the others, within a minute.
"""

import contextlib
import importlib.util
import os
import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax

from cda_jax.errors import DivergenceError, InputError
from cda_jax.runtime.multihost import in_words
from cda_jax.runtime.signals import Preempted

# A process that has been silent for so long counts as dead, and JAX ends the others.
_HEARTBEAT_SECONDS = 30
# Process 0 ends last: the others need it to report their own errors.
_FAREWELL_SECONDS = 3


class Place(NamedTuple):
    """Which process this is, by the flags of `cda_jax.main`; JAX finds it where all are None."""

    coordinator: str | None
    num_processes: int | None
    process_id: int | None


@contextlib.contextmanager
def joined(place: Place, timeout: int) -> Iterator[None]:
    """Makes this process one of several while the block lasts, if it was started as one of several.

    Without a place, JAX finds it under SLURM, Open MPI and on Cloud TPUs. Nothing may be computed
    before. If the others are not there after `timeout` seconds, an error is printed, and this
    process ends with exit code 1. So it does at an error that leaves the block; then the others
    end by themselves within a minute. A place that is wrong or not to be found is an `InputError`.
    """
    if place == (None, None, None):
        several = was_launched_as_several()
    else:
        _check(place)
        several = place.num_processes > 1
    if several:
        _initialize(place, timeout)
        several = jax.process_count() > 1  # on a Cloud TPU, only JAX can tell
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f'JAX finds no device of JAX_PLATFORMS={os.environ.get("JAX_PLATFORMS", "")} '
            f'({" ".join(str(error).split())[:200] or "nor says why"}); expected one that this '
            'machine has, and that JAX is installed for'
        ) from error
    try:
        yield
    except (SystemExit, Preempted):  # all processes leave together
        raise
    except BaseException as error:
        if several:
            _end(error)
        raise


def was_launched_as_several() -> bool:
    """Whether the environment says that this is one of several processes, which JAX can find."""
    names = 'SLURM_STEP_NUM_TASKS', 'OMPI_COMM_WORLD_SIZE', 'MEGASCALE_NUM_SLICES'
    slurm, open_mpi, slices = (int(os.environ.get(name) or 1) for name in names)
    if open_mpi > 1 and slurm == 1 and 'OMPI_MCA_orte_hnp_uri' not in os.environ:
        raise InputError(
            f'one of {open_mpi} processes of Open MPI, whose environment does not say where the '
            'first one is (before version 5 it does); expected --coordinator, --num_processes and '
            '--process_id'
        )
    hosts = os.environ.get('TPU_PROCESS_ADDRESSES', os.environ.get('TPU_WORKER_HOSTNAMES'))
    if hosts is None and os.environ.get('TPU_SKIP_MDS_QUERY') is None:
        # On Google's own machines the environment does not say how many there are, but JAX can ask.
        chips = [*Path('/dev').glob('accel[0-9]*'), *Path('/dev/vfio').glob('[0-9]*')]
        if chips and importlib.util.find_spec('libtpu') is not None:
            return True
    return max(slurm, open_mpi, slices, len((hosts or '').split(','))) > 1


def _check(place: Place) -> None:
    address = re.fullmatch(r'(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d+)', place.coordinator or '')
    has_port = address and 0 < int(address[2]) < 2**16
    if None in place or not has_port or not 0 <= place.process_id < place.num_processes:
        found = ', '.join(f'--{name} is {value}' for name, value in place._asdict().items())
        raise InputError(
            f'{found}; expected --coordinator=HOST:PORT with a port from 1 to 65535 and '
            '0 <= --process_id < --num_processes, or none of the three'
        )


def _initialize(place: Place, timeout: int) -> None:
    # JAX's own service would take SIGTERM away from `cda_jax.runtime.signals`.
    jax.config.update('jax_enable_preemption_service', False)
    # JAX would end this process with a stack trace when the time is over.
    timer = threading.Timer(timeout, _give_up, [place, timeout])
    timer.daemon = True
    timer.start()
    try:
        jax.distributed.initialize(
            *place,
            cluster_detection_method='deactivate' if place.coordinator else None,
            initialization_timeout=timeout + 30,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f'the processes cannot be joined: {error}; --coordinator, --num_processes and '
            '--process_id can say where they are'
        ) from error
    finally:
        timer.cancel()


def _give_up(place: Place, timeout: int) -> None:
    where = place.coordinator
    if where is None:
        why = 'expected all of those that the launcher has started'
    elif place.process_id == 0:
        why = f'process 0 waits at {where}; expected {place.num_processes} processes to come there'
    else:
        why = f'nothing answers at {where}; expected process 0 there'
        host, port = where.rsplit(':', 1)
        with contextlib.suppress(OSError), socket.create_connection((host.strip('[]'), port), 2):
            why = f'process 0 answers at {where}, but not all of the others are there'
    _say(f'error: the processes did not join within {timeout} s: {why}')
    os._exit(1)


def _end(error: BaseException) -> None:
    """Ends this process at once: JAX's own way to end would wait for the others."""
    if isinstance(error, InputError | DivergenceError):
        _say(f'error: {error}')
    else:
        _say(
            f'{"".join(traceback.format_exception(error))}'
            f'error: process {jax.process_index()} stopped: {in_words(error)}; where another '
            'process failed first, its own output says why'
        )
    if jax.process_index() == 0:
        time.sleep(_FAREWELL_SECONDS)
    os._exit(1)


def _say(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)
