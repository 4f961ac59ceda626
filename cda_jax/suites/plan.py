"""The runs of a suite: their configs, their workdirs, and the commands that they still need."""

import ast
import sys
from pathlib import Path
from typing import Any, NamedTuple

from cda_jax.config import load_config, read_config
from cda_jax.runtime.results import read_results
from cda_jax.runtime.workdir import BIAS, REPORT

Fields = dict[str, Any]

_ROOT = Path(__file__).parents[2]


class Method(NamedTuple):
    """Something to train: the config fields in which it differs from the full method."""

    title: str
    fields: Fields


class Run(NamedTuple):
    """A training of one method with one seed."""

    method: str
    seed: int
    workdir: Path
    fields: Fields  # what is different from configs/cda.py

    @property
    def is_done(self) -> bool:
        """Whether it is trained and evaluated."""
        return read_results(self.workdir) is not None

    @property
    def log(self) -> Path:
        """Where the output of its commands goes."""
        return self.workdir.parent / 'logs' / f'{self.workdir.name}.log'

    def commands(self, *, embedding: bool) -> list[list[str]]:
        """What trains the run, or resumes it, and measures it; nothing if it is done.

        `embedding` says whether its own page shows its features in two dimensions.
        """
        if self.is_done and (self.workdir / REPORT).exists() and (self.workdir / BIAS).exists():
            return []
        workdir, config = f'--workdir={self.workdir}', f'--config={_ROOT / "configs" / "cda.py"}'
        train = [sys.executable, '-m', 'cda_jax.main', workdir, config]
        train += [f'--config.{name}={value}' for name, value in self.fields.items()]
        measure = [sys.executable, str(_ROOT / 'tools' / 'report.py'), workdir]
        measure += [f'--data_dir={self.fields["data_dir"]}', f'--embedding={embedding}']
        return [measure] if self.is_done else [train, measure]


def plan(
    methods: dict[str, Method], num_seeds: int, folder: Path, scale: str, fields: Fields
) -> list[Run]:
    """The runs of some methods, with their workdirs below `folder`; the first seed comes first.

    A method whose config equals that of an earlier one is left out: a switch may say what the scale
    says already. `fields` differ in every run; InputError if one is unknown, or has a value that
    cannot be used.
    """
    base = load_config('cda').to_dict()
    runs, seen = [], []
    for seed in range(num_seeds):
        for name, method in methods.items():
            own = SCALES[scale] | fields | method.fields | {'seed': seed}
            config = read_config(base | own)
            if config not in seen:
                runs.append(Run(name, seed, folder / f'{name}-seed{seed}', own))
                seen.append(config)
    return runs


def as_value(text: str | float) -> Any:
    """What a text says in Python.

    Any other text, such as a loss's name, stays as it is, and so does a number.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def differences(name: str, from_config: str = 'cda') -> Fields:
    """The fields in which a config of `configs/` differs from another, by default the paper's."""
    other = load_config(from_config).to_dict()
    return {field: x for field, x in load_config(name).to_dict().items() if x != other[field]}


# The network and the training of the demonstration, without its method. The reversal is milder than
# the paper's; methods that say nothing of it have it.
_REVERSAL = {'lambda1_max': 0.3, 'lambda2_max': 0.3, 'lambda_warmup_fraction': 0.3}
_DEMO = differences('demo', from_config='cda_robust') | _REVERSAL | {'log_every_steps': 39}

# What is different from configs/cda.py in every run.
SCALES = {'demo': _DEMO, 'small': _DEMO | {'image_size': 32, 'num_epochs': 12}, 'full': {}}
