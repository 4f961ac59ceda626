"""Imports run one way: what does the work does not know who asks for it."""

import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / 'cda_jax'

# What each module or folder of cda_jax may import of the others, besides the errors.
STEP = {'augment', 'gradient_reversal', 'losses', 'models', 'objective', 'optimization', 'rivals'}
METHOD = STEP | {'errors', 'metrics', 'step_metrics', 'step'}
RUN = METHOD | {'config', 'data', 'runtime'}
MEASURED = RUN | {'experiment', 'evaluate', 'analysis.features', 'analysis.health'}
NONE = 'errors augment gradient_reversal metrics rivals losses runtime config'
MAY_IMPORT = {name: set() for name in NONE.split()} | {
    'models': {'gradient_reversal'},
    'objective': {'gradient_reversal', 'losses', 'models', 'rivals'},
    'step_metrics': {'losses', 'models', 'objective'},
    'step': STEP | {'step_metrics'},
    'data': {'runtime'},
    'prepare': {'runtime', 'data'},
    'standin': {'runtime', 'data', 'prepare'},
    'optimization': {'losses', 'models'},
    'experiment': RUN,
    'trained': RUN | {'experiment', 'use'},  # as a method, when it is called
    'analysis.features': RUN | {'experiment'},
    'evaluate': RUN | {'experiment', 'analysis.features', 'trained'},
    'use': RUN | {'experiment', 'trained', 'evaluate', 'prepare'},
    'use.pretrained': RUN | {'experiment', 'trained'},
    'train': RUN | {'experiment', 'trained', 'use.pretrained', 'evaluate', 'analysis.health'},
    'main': {'runtime', 'config', 'evaluate', 'train'},
    'analysis': MEASURED | {'trained', 'use'},
    'analysis.health': {'runtime', 'config', 'data'},
    'suites': MEASURED | {'analysis', 'prepare', 'standin'},
}
# The only libraries that these may import, where not any will do.
LIBRARIES = {name: {'flax', 'jax', 'jaxtyping', 'numpy', 'optax'} for name in METHOD}
LIBRARIES['config'] = {'msgspec'}
LIBRARIES['analysis.health'] = {'msgspec', 'numpy'}  # of the core: training asks as well


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split('.') for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ([*node.module.split('.'), alias.name] for alias in node.names)


def room_of(*names):
    inner = '.'.join(names[:2])
    return inner if inner in MAY_IMPORT else names[0]


def is_allowed(room, first, *rest):
    if first == 'cda_jax':
        allowed = MAY_IMPORT[room] | {room, 'errors'}
        return not rest or rest[0].startswith('__') or room_of(*rest) in allowed
    private = any(name.startswith('_') and not name.startswith('__') for name in rest)
    libraries = LIBRARIES.get(room, {first}) | sys.stdlib_module_names
    return first in libraries and not private


def test_imports_run_one_way():
    wrong = []
    for path in sorted(PACKAGE.rglob('*.py')):
        module = path.relative_to(PACKAGE).with_suffix('').parts
        if module != ('__init__',):
            names = [name for name in imports_of(path) if not is_allowed(room_of(*module), *name)]
            wrong += [f'{".".join(module)} imports {".".join(name)}' for name in names]
    assert not wrong, '\n'.join(wrong)
