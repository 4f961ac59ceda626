"""Joins several processes into one training program, and lets them decide together."""

import contextlib
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jax._src import clusters, distributed  # private, but they alone know where JAX would look
from jax.experimental import multihost_utils

from cda_jax.errors import InputError
from cda_jax.runtime.watch import Watch, watching

# JAX ends a process for good when it has missed another for so long, in the middle of whatever it
# does. `Watch` notices earlier and says who it was; this is for what it cannot see.
_HEARTBEAT_SECONDS = 50


class Place(NamedTuple):
    """Which process this is, as its user says.

    Attributes:
        coordinator: 'HOST:PORT' of process 0, where the others find it; any free port.
        num_processes: How many processes there are.
        process_id: Which of them this is, from 0.
    """

    coordinator: str | None
    num_processes: int | None
    process_id: int | None


@contextlib.contextmanager
def joined(place: Place, timeout: int) -> Iterator[None]:
    """Makes this process one of several while the block lasts, if it was started as one of several.

    Without a place, JAX finds out under SLURM, Open MPI and on Cloud TPUs. An error that leaves the
    block stops the other processes as well; where there are others, it is printed here and ends
    this process with exit code 1. Nothing may be computed before.

    Args:
        place: Of this process; all of it or nothing.
        timeout: Seconds to wait for the others at the start; then an error is printed, and this
            process ends with exit code 1.

    Raises:
        InputError: The place is not one.
    """
    if any(part is not None for part in place):
        _check(place)
        several = place.num_processes > 1
        where = place._asdict() | {'cluster_detection_method': 'deactivate'}
        where['coordinator_address'] = where.pop('coordinator')
    else:
        launcher = find_launcher()
        several = launcher is not None
        where = {'cluster_detection_method': launcher}
    if not several:
        yield
        return
    # A process that ends at once leaves the memory that it shares with its workers to a tracker of
    # Python's, which frees it, but would say so after the error.
    given = os.environ.get('PYTHONWARNINGS')
    os.environ['PYTHONWARNINGS'] = f'{given},' * bool(given) + 'ignore:resource_tracker'
    _initialize(where, timeout)
    with watching(Watch(jax.process_index(), jax.process_count())):
        yield


def any_process(flag: bool) -> bool:
    """Whether the flag is set in any process; all must ask, at the same point of their work.

    It waits until every device has done what it was given before, so ask where the program waits
    for the devices anyway.

    Args:
        flag: Of this process.
    """
    if jax.process_count() == 1:
        return flag
    return bool(multihost_utils.process_allgather(np.array(flag)).any())


def all_processes(flags: list[bool]) -> list[bool]:
    """Which flags are set in all processes; all must ask, with as many flags.

    Args:
        flags: Of this process.
    """
    if jax.process_count() == 1 or not flags:
        return flags
    return multihost_utils.process_allgather(np.array(flags)).all(axis=0).tolist()


def of_first_process(numbers: list[int]) -> list[int]:
    """What the first process has; all must ask.

    Args:
        numbers: Of this process, from 0 to 2^31 - 1; the others' are ignored.
    """
    if jax.process_count() == 1:
        return numbers
    count = int(multihost_utils.broadcast_one_to_all(np.int32(len(numbers))))
    padded = np.resize(np.array([*numbers, 0], np.int32), count)
    return multihost_utils.broadcast_one_to_all(padded).tolist()


def gather_texts(text: str) -> list[str]:
    """The texts of all processes, in their order; all must ask.

    Args:
        text: Of this process, of any length.
    """
    if jax.process_count() == 1:
        return [text]
    mine = np.frombuffer(text.encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.int32(len(mine))).ravel()
    padded = np.zeros(lengths.max(), np.uint8)
    padded[: len(mine)] = mine
    rows = multihost_utils.process_allgather(padded)
    return [bytes(row[:length]).decode() for row, length in zip(rows, lengths, strict=True)]


def find_launcher() -> str | None:
    """JAX's name for what started this process as one of several; None if nothing did.

    Raises:
        InputError: It is one of several, but where the first one is cannot be found out.
    """
    known = (
        clusters.OmpiCluster,
        clusters.SlurmCluster,
        clusters.GkeTpuCluster,
        clusters.GceTpuCluster,
    )
    for launcher in known:
        if launcher.is_env_present():
            return launcher.name if _has_several(launcher) else None
    tasks = max(_slurm_tasks(), _open_mpi_tasks())
    if tasks > 1:
        raise InputError(
            f'one of {tasks} processes of SLURM or Open MPI, but their environment does not say '
            'where the first one is (Open MPI does so before version 5); expected --coordinator, '
            '--num_processes and --process_id'
        )
    return None


def _has_several(launcher) -> bool:
    if launcher is clusters.OmpiCluster:  # from Open MPI 5 on, JAX would need mpi4py to say
        return _open_mpi_tasks() > 1
    # A single process of an allocation for several: JAX would wait for the rest of them.
    alone = launcher is clusters.SlurmCluster and _slurm_tasks() == 1
    return not alone and launcher.get_process_count() > 1


def _check(place: Place) -> None:
    missing = [f'--{name}' for name, value in place._asdict().items() if value is None]
    if missing:
        raise InputError(
            f'{" and ".join(missing)} missing; expected --coordinator, --num_processes and '
            '--process_id together, or none of them'
        )
    if not re.fullmatch(r'(\[[0-9a-fA-F:]+\]|[^:\s]+):\d+', place.coordinator):
        raise InputError(f'--coordinator is {place.coordinator!r}, expected HOST:PORT')
    port = int(place.coordinator.rsplit(':', 1)[1])
    if not 0 < port < 2**16:
        raise InputError(f'--coordinator has port {port}, expected one from 1 to 65535')
    if place.num_processes < 1:
        raise InputError(f'--num_processes is {place.num_processes}, expected 1 or more')
    if not 0 <= place.process_id < place.num_processes:
        raise InputError(
            f'--process_id is {place.process_id}, expected 0 to {place.num_processes - 1}, since '
            f'--num_processes is {place.num_processes}'
        )


def _slurm_tasks() -> int:
    return int(os.environ.get('SLURM_STEP_NUM_TASKS', '1'))


def _open_mpi_tasks() -> int:
    return int(os.environ.get('OMPI_COMM_WORLD_SIZE', '1'))


def _initialize(where, timeout):
    # JAX's own service would take SIGTERM away from `cda_jax.runtime.signals`.
    jax.config.update('jax_enable_preemption_service', False)
    # JAX would end this process with a stack trace when the time is over.
    timer = threading.Timer(timeout, _give_up, [timeout])
    timer.daemon = True
    timer.start()
    try:
        jax.distributed.initialize(
            **where,
            initialization_timeout=timeout + 30,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f'the processes cannot be joined: {error}; --coordinator, --num_processes and '
            '--process_id can say where they are'
        ) from error
    finally:
        timer.cancel()


def _give_up(timeout):
    state = distributed.global_state
    where = state.coordinator_address or 'the first of them'
    if state.service is not None:
        why = f'process 0 waits at {where}; expected {state.num_processes} processes to come there'
    elif _answers(state.coordinator_address):
        why = f'process 0 answers at {where}, but not all of the others are there'
    else:
        why = f'nothing answers at {where}; expected process 0 there'
    print(
        f'error: the processes did not join within {timeout} s: {why}', file=sys.stderr, flush=True
    )
    os._exit(1)


def _answers(address) -> bool:
    host, port = address.rsplit(':', 1) if address else ('', '0')
    try:
        socket.create_connection((host.strip('[]'), int(port)), timeout=2).close()
    except OSError:
        return False
    return True
