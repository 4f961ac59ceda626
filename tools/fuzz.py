"""Feeds the parsers of all outside data with damaged input, and fails on anything but a refusal.

python tools/fuzz.py --seconds=180 --seed=1

A refusal is the parser's own exception with a message of one line. Anything else is a failure: any
other exception, a crash, memory above the parser's bound, an input that takes more than 10 seconds.
The input is then saved in --out, and the exit code is 1. Every parser has a process of its own.
"""

import collections
import json
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from absl import app, flags
from fuzz_targets import TARGETS, Target, make_target

_SECONDS = flags.DEFINE_float('seconds', 60, 'Time for all targets together.', lower_bound=0)
_SEED = flags.DEFINE_integer('seed', 0, 'Of the mutations.')
_TARGETS = flags.DEFINE_list('targets', list(TARGETS), 'The parsers to feed.')
_OUT = flags.DEFINE_string('out', 'fuzz', 'Folder for input that fails; made if needed.')
_ALONE = flags.DEFINE_bool('alone', False, 'Feed one target in this process.')

_SECONDS_PER_INPUT = 10
_MAX_MESSAGE = 2000  # characters
_NUMBERS = (b'-1', b'0', b'nan', b'inf', b'-inf', b'1e999', b'NULL', b'9' * 20, b'9' * 5000)
_WORDS = (
    *_NUMBERS,
    *(b'../', b'/etc/passwd', b'"', b'""', b',', b';', b' ', b'\n', b'\r\n', b'\0', b'\xff\xff'),
    *(b'[' * 300, b'{"a":' * 300, b'(' * 300, b'\xdd\xff\xff\xff\xff', b'\xc9\x7f\xff\xff\xff\x01'),
    *(b'\xff\xd8', b'\xff\xc0', b'\xff\xd9', b'PK\x03\x04', b'\x93NUMPY', b'\xef\xbb\xbf'),
)


def mutate(data: bytes, seeds: tuple[bytes, ...], draw: random.Random) -> bytes:
    """Damages input in up to eight places.

    Args:
        data: The input.
        seeds: Others to take pieces from.
        draw: Decides everything.

    Returns:
        The damaged input; in one of nine cases it is as it was.
    """
    for _ in range(draw.randrange(9)):
        data = draw.choice(_MUTATIONS)(data, seeds, draw)
    return data


def _flip(data, seeds, draw):
    place = draw.randrange(len(data) + 1)
    return data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]


def _fill(data, seeds, draw):
    start, stop = _span(data, draw, 8)
    byte = draw.choice((b'\0', b'\xff', b'\x7f', b'\x80'))
    return data[:start] + byte * (stop - start) + data[stop:]


def _cut(data, seeds, draw):
    start, stop = _span(data, draw, 64)
    return data[:start] + data[stop:]


def _end(data, seeds, draw):
    return data[: draw.randrange(len(data) + 1)]


def _repeat(data, seeds, draw):
    start, stop = _span(data, draw, 64)
    return data[:stop] + data[start:stop] * draw.choice((1, 1, 2, 50)) + data[stop:]


def _insert(data, seeds, draw):
    place = draw.randrange(len(data) + 1)
    return data[:place] + draw.choice(_WORDS) + data[place:]


def _renumber(data, seeds, draw):
    numbers = list(re.finditer(rb'-?[0-9.]+', data[:100_000]))
    if not numbers:
        return data
    start, stop = draw.choice(numbers).span()
    return data[:start] + draw.choice(_NUMBERS) + data[stop:]


def _splice(data, seeds, draw):
    other = draw.choice(seeds)
    start, stop = _span(other, draw, 200)
    place = draw.randrange(len(data) + 1)
    return data[:place] + other[start:stop] + data[place:]


_MUTATIONS = (_flip, _flip, _fill, _cut, _end, _repeat, _insert, _renumber, _splice)


def _span(data: bytes, draw: random.Random, longest: int) -> tuple[int, int]:
    start = draw.randrange(len(data) + 1)
    return start, min(len(data), start + draw.randrange(1, longest + 1))


def fuzz_target(target: Target, *, seed: str, seconds: float, current: Path) -> dict:
    """Feeds one target.

    Args:
        target: The target.
        seed: Of the mutations.
        seconds: How long; at least its undamaged input is fed.
        current: Where every input is written before it is fed, so that it outlives a crash.

    Returns:
        Counts: `inputs`, `read`, `refused`; `peak_mb`, memory taken since the start; and `failure`,
        what went wrong, or None. The input at fault is then the one in `current`.
    """
    draw = random.Random(seed)
    counts = collections.Counter(inputs=0, read=0, refused=0)
    before, failure = _peak_mb(), None
    deadline = time.monotonic() + seconds
    queue = list(target.seeds)
    while failure is None and (queue or time.monotonic() < deadline):
        data = queue.pop() if queue else mutate(draw.choice(target.seeds), target.seeds, draw)
        current.write_bytes(data)
        counts['inputs'] += 1
        signal.alarm(_SECONDS_PER_INPUT)
        try:
            target.run(data)
            counts['read'] += 1
        except Exception as error:  # the point of it all
            counts['refused'] += 1
            failure = _fault_of(error, target.refusals)
        signal.alarm(0)
        if _peak_mb() - before > target.memory_mb:
            failure = f'took {_peak_mb() - before:.0f} MB, expected at most {target.memory_mb}'
    return {**counts, 'peak_mb': round(_peak_mb() - before), 'failure': failure}


def _fault_of(error: Exception, refusals: tuple[type[Exception], ...]) -> str | None:
    message = str(error)
    if type(error) not in refusals or len(error.args) != 1:
        return ''.join(traceback.format_exception(error))
    if '\n' in message or len(message) > _MAX_MESSAGE:
        return f'a message of {len(message)} characters that begins {message[:200]!r}'
    return None


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _feed_here(name: str, out: Path) -> None:
    """Feeds one target and prints its counts."""
    with tempfile.TemporaryDirectory() as folder:
        target = make_target(name, Path(folder))
        target.run(target.seeds[0])  # so that what it loads once does not count
        _limit_memory(target.memory_mb)
        result = fuzz_target(
            target,
            seed=f'{_SEED.value}:{name}',
            seconds=_SECONDS.value,
            current=out / f'{name}.input',
        )
    print(json.dumps(result))


def _limit_memory(more_mb: int) -> None:
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + more_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _feed_in_process(name: str, seconds: float, out: Path) -> dict:
    """Runs `_feed_here` in a process and says how that ended."""
    command = [sys.executable, __file__, '--alone', f'--targets={name}', f'--seconds={seconds}']
    command += [f'--seed={_SEED.value}', f'--out={out}']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        end = done.stderr[-2000:] if done.returncode > 0 else signal.Signals(-done.returncode).name
        return {'inputs': 0, 'read': 0, 'refused': 0, 'peak_mb': 0, 'failure': f'died: {end}'}
    return json.loads(done.stdout.splitlines()[-1])


def main(argv: list[str]) -> None:
    """Runs the tool."""
    if len(argv) > 1:
        raise app.UsageError(f'unexpected argument {argv[1]!r}; options begin with --')
    for name in _TARGETS.value:
        if name not in TARGETS:
            sys.exit(f'error: unknown target {name!r}; expected some of {", ".join(TARGETS)}')
    out = Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    if _ALONE.value:
        _feed_here(_TARGETS.value[0], out)
        return
    print(f'{"target":14}{"inputs":>10}{"read":>10}{"refused":>10}{"MB":>6}')
    failed = False
    for name in _TARGETS.value:
        result = _feed_in_process(name, _SECONDS.value / len(_TARGETS.value), out)
        figures = f'{result["inputs"]:>10,}{result["read"]:>10,}{result["refused"]:>10,}'
        print(f'{name:14}{figures}{result["peak_mb"]:>6}', flush=True)
        if result['failure'] is None:
            (out / f'{name}.input').unlink()
        else:
            failed = True
            print(f'  FAILED on {out / name}.input: {result["failure"]}', flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    app.run(main)
