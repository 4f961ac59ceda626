"""One training of a suite: its place, its command, and whether it is done."""

import importlib.util
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from cda_jax.errors import InputError
from cda_jax.runtime.results import read_results
from cda_jax.suites.methods import Fields, Method

_ROOT = Path(__file__).parent.parent.parent


class Scale(NamedTuple):
    """How large the runs of a suite are.

    Attributes:
        config: Name of the base config, a file of `configs/`.
        fields: What is different from it in every run.
        face_size: Side of the face box in pixels at which the stand-in data are prepared; None
            where the data are the user's.
    """

    config: str
    fields: Fields
    face_size: int | None


SCALES = {
    'demo': Scale('demo', {'log_every_steps': 39}, 48),
    'small': Scale('demo', {'image_size': 32, 'num_epochs': 12, 'log_every_steps': 39}, 32),
    'full': Scale('cda', {}, None),
}


class Run(NamedTuple):
    """A training of one method with one seed.

    Attributes:
        method: Name of the method.
        seed: Of the run.
        workdir: Where it is.
        config_file: The base config.
        fields: What is different from it.
    """

    method: str
    seed: int
    workdir: Path
    config_file: Path
    fields: Fields

    def is_done(self) -> bool:
        """Whether it is trained and evaluated."""
        return read_results(self.workdir) is not None

    def command(self) -> list[str]:
        """The command that trains it, or goes on where it was stopped."""
        fields = [f'--config.{name}={value}' for name, value in self.fields.items()]
        program = [sys.executable, '-m', 'cda_jax.main']
        return [*program, f'--config={self.config_file}', f'--workdir={self.workdir}', *fields]

    def config(self) -> ConfigDict:
        """Its whole config.

        Raises:
            InputError: A field is not in the base config.
        """
        config = load_config(self.config_file)
        for name, value in self.fields.items():
            if name not in config:
                raise InputError(f'field {name!r}: expected one that {self.config_file} has')
            config[name] = _copied(value)
        return config


def plan(
    methods: dict[str, Method], num_seeds: int, folder: Path, scale: Scale, fields: Fields
) -> list[Run]:
    """The runs of some methods, all methods with the first seed first.

    A method whose config is that of an earlier one is left out: a switch may say what the base
    config says already.

    Args:
        methods: By name.
        num_seeds: Runs of each.
        folder: Where the workdirs go.
        scale: Of the runs.
        fields: What is different from the scale's config in every run.

    Raises:
        InputError: A field is not in the base config.
    """
    runs, seen = [], []
    for seed in range(num_seeds):
        for name, method in methods.items():
            run = Run(
                method=name,
                seed=seed,
                workdir=folder / f'{name}-seed{seed}',
                config_file=_ROOT / 'configs' / f'{scale.config}.py',
                fields=scale.fields | fields | method.fields | {'seed': seed},
            )
            config = run.config().to_dict()
            if config not in seen:
                runs.append(run)
                seen.append(config)
    return runs


def load_config(path: Path) -> ConfigDict:
    """Runs a config file.

    Args:
        path: A Python file with `get_config`.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value
