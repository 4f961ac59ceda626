"""Child processes, which end when their parent does and no sooner."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence


def end_with_parent() -> None:
    """Makes this child of `multiprocessing` end when its parent does, however that ends.

    A parent that is killed cannot stop its children, which would wait for work for ever.
    """
    threading.Thread(target=_outwait_parent, daemon=True).start()


def _outwait_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def bound(command: Sequence[str], *, slot: int, slots: int) -> list[str]:
    """A command that does the same, but dies with this process and keeps to some processors.

    Args:
        command: Program and arguments.
        slot: Which share of the processors, from 0.
        slots: In how many shares they are divided.
    """
    # A program of its own and not a function to call after the fork, which JAX does not bear.
    settle = [
        sys.executable,
        '-m',
        'cda_jax.runtime.children',
        str(os.getpid()),
        str(slot),
        str(slots),
    ]
    return [*settle, *command]


def _die_with(parent: int) -> None:
    """Makes this process die with its parent, on Linux; elsewhere nothing happens."""
    if sys.platform != 'linux':
        return
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # gone already
        os._exit(1)


def _settle_and_run(parent: str, slot: str, slots: str, *command: str) -> None:
    _die_with(int(parent))
    if int(slots) > 1 and hasattr(os, 'sched_setaffinity'):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[int(slot) :: int(slots)] or processors)
    os.execvp(command[0], command)


if __name__ == '__main__':
    _settle_and_run(*sys.argv[1:])
