"""Which operations of a compiled program take the time."""

import collections
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax


def profile(work: Callable[[], Any], calls: int, program: str) -> dict[str, tuple[float, str]]:
    """Seconds a call, and shape and place in the network, of each operation; the largest first.

    `work` runs the compiled program of this text. Operations that run at once share the time.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready([work() for _ in range(calls)])
        [file] = Path(folder).rglob('*.xplane.pb')
        data = jax.profiler.ProfileData.from_file(str(file))
    tracks = [track for plane in data.planes for track in plane.lines]
    # A GPU's kernels lie in the tracks of its streams; other tracks may show them once more.
    streams = [track for track in tracks if track.name.startswith('Stream')]
    seconds, running, last = collections.Counter(), collections.Counter(), 0
    for now, change, name in sorted(_changes(streams or tracks)):
        for other in +running:  # only positive counts
            seconds[other] += (now - last) / 1e9 / calls * running[other] / running.total()
        if not name.startswith(('while', 'call', 'conditional')):  # what they do counts itself
            running[name] += change
        last = now
    sources = dict(_sources(program))
    return {name: (each, sources.get(name, '')) for name, each in seconds.most_common()}


def _changes(tracks: Iterable) -> Iterator[tuple[float, int, str]]:
    """When how many more of an operation run. On a CPU, an event of its own tells the end."""
    events = [event for track in tracks for event in track.events]
    ends = {event.name for event in events if event.name.startswith('end: ')}
    for event in events:
        name = dict(event.stats).get('hlo_op')
        if event.name in ends:
            yield event.start_ns, -1, event.name.removeprefix('end: ')
        elif name:
            # A command buffer has kernels that a GPU starts all at once.
            name = event.name if name.startswith('command_buffer') else name
            yield event.start_ns, 1, name
            if f'end: {name}' not in ends:
                yield event.start_ns + event.duration_ns, -1, name


def _sources(program: str) -> Iterator[tuple[str, str]]:
    """Shape and place in the network of each operation in a program's HLO text.

    A fusion without a name of its own has that of the last named operation that it calls.
    """
    body, named = '', {}
    for line in program.splitlines():
        if header := re.match(r'(?:ENTRY )?%?([\w.-]+) \(.*{$', line):
            body = header[1]
        elif operation := re.match(r' +(?:ROOT )?%?([\w.-]+) = \(?([^ {]+)', line):
            own = re.search(r'op_name="(?:jit\([^)]*\)/|shard_map/)*([^"]+)"', line)
            called = re.search(r'calls=%?([\w.-]+)', line)
            source = own[1] if own else called and named.get(called[1])
            named[body] = source or named.get(body)
            yield operation[1], f'{operation[2]} {source or ""}'
