"""What a config must hold, and how two configs differ."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from cda_jax.errors import InputError
from cda_jax.models import PSEUDO_LABELS, RESNET_DEPTHS
from cda_jax.objective import AVERAGINGS, STATISTICS

# Fields that may change between two runs in one working directory: they decide when and from where
# something is read or written, not what is computed.
CHANGEABLE = frozenset(
    {
        'data_dir',
        'num_workers',
        'log_every_steps',
        'checkpoint_every_steps',
        'keep_checkpoints',
        'validate_every_epochs',
    }
)

# Fields that say which network a checkpoint belongs to; evaluation needs no other to agree.
NETWORK = frozenset(
    {
        'sites',
        'target',
        'negative_slope',
        'resnet_depth',
        'resnet_width',
        'feature_size',
        'shared_head',
        'common_head',
        'pseudo_label',
        'dataset_classifier',
        'classifier_widths',
        'label_extractor_widths',
        'image_size',
    }
)


class _Rule(NamedTuple):
    kinds: tuple[type, ...]
    holds: Callable[[Any], bool]
    expected: str


def _whole(minimum):
    return _Rule((int,), lambda v: v >= minimum, f'a whole number from {minimum}')


def _number(minimum, below=float('inf')):
    upper = '' if below == float('inf') else f' to below {below}'
    return _Rule((int, float), lambda v: minimum <= v < below, f'a number from {minimum}{upper}')


def _one_of(*choices):
    return _Rule(
        (str, int), lambda v: v in choices, 'one of ' + ', '.join(repr(c) for c in choices)
    )


def _names(*, empty=False):
    return _tuple_of('names', lambda x: isinstance(x, str) and x, empty=empty)


def _positive(noun, *kinds):
    return _tuple_of(noun, lambda x: type(x) in kinds and 0 < x < float('inf'), empty=True)


def _tuple_of(noun, fits, *, empty):
    return _Rule(
        (tuple, list),
        lambda v: (empty or len(v) > 0) and all(map(fits, v)),
        f'a tuple of {noun}' + (', which may be empty' if empty else ''),
    )


_SWITCH = _Rule((bool,), lambda v: True, 'True or False')
_TEXT = _Rule((str,), bool, 'a text that is not empty')
_ARGUMENTS = _Rule((ConfigDict, dict), lambda v: True, 'a dict of keyword arguments')

_RULES = {
    'seed': _whole(0),
    'data_dir': _TEXT,
    'sites': _names(),
    'test_sites': _names(empty=True),
    'site_weights': _positive('positive numbers', int, float),
    'target': _one_of('label', 'site'),
    'validation_fraction': _number(0, 1),
    'image_size': _whole(8),
    'random_crop': _SWITCH,
    'random_flip': _SWITCH,
    'num_workers': _whole(0),
    'resnet_depth': _one_of(*RESNET_DEPTHS),
    'resnet_width': _whole(1),
    'feature_size': _whole(1),
    'shared_head': _SWITCH,
    'common_head': _SWITCH,
    'pseudo_label': _one_of(*PSEUDO_LABELS),
    'dataset_classifier': _SWITCH,
    'classifier_widths': _positive('positive whole numbers', int),
    'label_extractor_widths': _positive('positive whole numbers', int),
    'dropout': _number(0, 1),
    'negative_slope': _number(0),
    'compute_dtype': _one_of('float32', 'bfloat16'),
    'remat': _SWITCH,
    'emotion_loss': _TEXT,
    'emotion_loss_args': _ARGUMENTS,
    'dataset_loss': _TEXT,
    'dataset_loss_args': _ARGUMENTS,
    'averaging': _one_of(*AVERAGINGS),
    'loss_statistics': _one_of(*STATISTICS),
    'site_smoothing': _number(0, 1),
    'dataset_classifier_dropout': _number(0, 1),
    'dataset_classifier_rate_factor': _number(0),
    'lambda1_max': _number(0),
    'lambda2_max': _number(0),
    'lambda_schedule': _TEXT,
    'lambda_warmup_fraction': _number(0, 1),
    'lambda2_schedule': _Rule(
        (tuple, list),
        lambda v: (
            not v
            or (
                len(v) == 2
                and isinstance(v[0], str)
                and type(v[1]) in (int, float)
                and 0 <= v[1] < 1
            )
        ),
        "an empty tuple, or a schedule and its warm-up fraction, such as ('constant', 0.5)",
    ),
    'posthoc_tau': _number(0),
    'batch_size': _whole(1),
    'num_epochs': _whole(1),
    'learning_rate': _number(0),
    'momentum': _number(0, 1),
    'weight_decay': _number(0),
    'warmup_epochs': _number(0),
    'log_every_steps': _whole(1),
    'checkpoint_every_steps': _whole(1),
    'keep_checkpoints': _whole(1),
    'validate_every_epochs': _whole(1),
}


def check_config(config: ConfigDict) -> None:
    """Checks that every field is there and can be used, and that there is no other.

    Args:
        config: As a file of `configs/` gives it.

    Raises:
        InputError: Names the field and what is expected in it.
    """
    for name in config:
        if name not in _RULES:
            raise InputError(f'the config has a field {name!r} that nothing reads; is it misspelt?')
    for name, rule in _RULES.items():
        if name not in config:
            raise InputError(f'the config has no field {name!r}; expected {rule.expected}')
        value = config[name]
        is_kind = isinstance(value, rule.kinds) and (
            not isinstance(value, bool) or bool in rule.kinds
        )
        if not (is_kind and rule.holds(value)):
            raise InputError(f'config field {name} is {value!r}, expected {rule.expected}')
    _check_together(config)


def _check_together(config):
    sites = config.sites
    if len(set(sites)) != len(sites):
        raise InputError(f'config field sites names a site twice: {tuple(sites)}')
    if config.site_weights and len(config.site_weights) != len(sites):
        raise InputError(
            f'config field site_weights has {len(config.site_weights)} entries, expected none or '
            f'one for each of the {len(sites)} sites'
        )
    if config.common_head and config.shared_head:
        raise InputError(
            'config field common_head is True beside shared_head; expected one of them, because '
            'the shared head is common already'
        )
    if config.dataset_classifier and len(sites) < 2:
        raise InputError(
            f'config field dataset_classifier is True with one site, {sites[0]!r}; expected two or '
            'more sites to tell apart, or False'
        )
    if config.target == 'site':
        unknown = [name for name in config.test_sites if name not in sites]
        if unknown or not config.shared_head:
            raise InputError(
                "config field target is 'site'; expected shared_head to be True and every test "
                f'site among the sites ({", ".join(unknown) or "they are"})'
            )


def as_plain(config: ConfigDict) -> dict:
    """The config as JSON would give it back: dicts, lists, texts and numbers."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(entry) for key, entry in value.items()}
        return [plain(entry) for entry in value] if isinstance(value, tuple | list) else value

    return plain(config.to_dict())


def differences(old: dict, new: dict, *, ignore: frozenset[str] = frozenset()) -> list[str]:
    """Describes the fields that differ, one text each.

    Args:
        old: Of `as_plain`.
        new: Of `as_plain`.
        ignore: Fields that may differ.
    """
    return [
        f'{name}: {old.get(name)!r} there, {new.get(name)!r} here'
        for name in sorted((old.keys() | new.keys()) - ignore)
        if old.get(name) != new.get(name)
    ]
