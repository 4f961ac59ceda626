"""Child processes, which end when their parent does, and the processors that they share."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence


def num_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, 'sched_getaffinity'):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_with_parent() -> None:
    """Makes this child of `multiprocessing` end when its parent does.

    A parent that is killed cannot stop its children, which would wait for work for ever.
    """

    def outwait_parent():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=outwait_parent, daemon=True).start()


def bound(command: Sequence[str], *, slot: int = 0, slots: int = 1) -> list[str]:
    """A command that does the same, but on Linux dies with this process.

    It keeps to share number `slot`, from 0, of the `slots` into which the processors are divided.
    """
    # A program of its own and not a function to call after the fork, which JAX does not bear.
    place = map(str, (os.getpid(), slot, slots))
    return [sys.executable, '-m', 'cda_jax.runtime.children', *place, *command]


def _bind_and_run(parent: str, slot: str, slots: str, *command: str) -> None:
    if sys.platform == 'linux':
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != int(parent):  # gone already
            os._exit(1)
    if int(slots) > 1 and hasattr(os, 'sched_setaffinity'):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[int(slot) :: int(slots)] or processors)
    os.execvp(command[0], command)


if __name__ == '__main__':
    _bind_and_run(*sys.argv[1:])
