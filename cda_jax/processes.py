"""Child processes that do not outlive their parent."""

import ctypes
import os
import sys
from collections.abc import Sequence


def die_with(parent: int) -> None:
    """Makes this process die when its parent does, on Linux; elsewhere nothing happens.

    A parent that is killed cannot stop its children, which would go on holding memory, files and
    output.

    Args:
        parent: Process number of the parent, to see whether it is gone already.
    """
    if sys.platform != 'linux':
        return
    pr_set_pdeathsig, sigkill = 1, 9
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, sigkill)
    if os.getppid() != parent:
        os._exit(1)


def bound(command: Sequence[str], *, slot: int, slots: int) -> list[str]:
    """A command that does the same, but dies with this process and keeps to some processors.

    Args:
        command: Program and arguments.
        slot: Which share of the processors, from 0.
        slots: In how many shares they are divided.
    """
    # A program of its own and not a function to call after the fork, which JAX does not bear.
    settle = [sys.executable, '-m', 'cda_jax.processes', str(os.getpid()), str(slot), str(slots)]
    return [*settle, *command]


def _settle_and_run(parent: str, slot: str, slots: str, *command: str) -> None:
    die_with(int(parent))
    if int(slots) > 1 and hasattr(os, 'sched_setaffinity'):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[int(slot) :: int(slots)] or processors)
    os.execvp(command[0], command)


if __name__ == '__main__':
    _settle_and_run(*sys.argv[1:])
