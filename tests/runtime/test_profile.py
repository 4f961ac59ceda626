"""Which operations take the time, by traces of a CPU and of a GPU as JAX gives them back."""

from types import SimpleNamespace as Made

import jax

from cda_jax.runtime.profile import profile


def nanoseconds(monkeypatch, tracks):
    """Of each operation in tracks of events, which are name, start, duration and operation."""
    lines = [
        Made(name=k, events=[Made(name=n, start_ns=s, duration_ns=d, stats=x) for n, s, d, x in of])
        for k, of in tracks.items()
    ]
    data = Made(from_file=lambda _: Made(planes=[Made(lines=lines)]))
    monkeypatch.setattr(jax.profiler, 'ProfileData', data)
    return {name: round(1e9 * seconds) for name, (seconds, _) in profile(lambda: 0, 1, '').items()}


def test_operations_of_a_cpu_that_run_at_once_share_the_time(monkeypatch):
    loop, dot, conv = ({'hlo_op': name} for name in ('while.1', 'dot', 'conv'))
    first = [('while.1', 0, 9, loop), ('dot', 0, 1, dot), ('end: dot', 30, 1, {})]
    second = [('conv', 10, 1, conv), ('end: conv', 60, 1, {})]
    found = nanoseconds(monkeypatch, {'first': first, 'second': second})
    assert found == {'conv': 10 + 30, 'dot': 10 + 10}


def test_kernels_of_a_gpu_count_once(monkeypatch):
    kernels, again = [('add', 9, 7, {'hlo_op': 'command_buffer'})], [('x', 9, 7, {'hlo_op': 'x'})]
    assert nanoseconds(monkeypatch, {'Stream #7': kernels, 'XLA Ops': again}) == {'add': 7}
