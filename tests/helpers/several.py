"""Starts the program in several processes on this machine."""

import socket
import subprocess


def free_address() -> str:
    """An address for process 0."""
    with socket.socket() as probe:
        probe.bind(('localhost', 0))
        return f'localhost:{probe.getsockname()[1]}'


def start_several(start_main, workdir, *, own=None, **fields) -> list[subprocess.Popen]:
    """Starts two processes; `own` has config fields of single ones."""
    place = f'--coordinator={free_address()}', '--num_processes=2'
    return [
        start_main(workdir, *place, f'--process_id={i}', **fields | (own or {}).get(i, {}))
        for i in range(2)
    ]


def ends(processes, timeout=300) -> tuple[list[int], tuple[str, ...], tuple[str, ...]]:
    """Exit codes, output and error output of each, once they have ended."""
    told = [process.communicate(timeout=timeout) for process in processes]
    return [process.returncode for process in processes], *zip(*told, strict=True)
