"""The methods: each as the config fields in which it differs from the full method."""

from typing import Any

from cda_jax.suites.plan import Method, differences

_PLAIN = {'emotion_loss': 'cross_entropy', 'emotion_loss_args': {}}
_PLAIN_D = {'dataset_loss': 'cross_entropy', 'dataset_loss_args': {}}
_NO_G, _NO_D = {'pseudo_label': 'none'}, {'alignment': 'none'}
_SHARED, _SOFT = {'shared_head': True}, {'pseudo_label': 'soft'}
_OF_ALL_SITES = {'shared_statistics': 1.0}
_DANN = _SHARED | _NO_G | _PLAIN | _PLAIN_D
_MERGED, _ROBUST = differences('baseline'), differences('cda_robust')


def _merged(title: str, **fields: Any) -> Method:
    """The baseline with these fields besides."""
    return Method(title, _MERGED | fields)


def _loss(title: str, name: str, **args: float) -> Method:
    """The baseline with another emotion loss."""
    return _merged(title, emotion_loss=name, emotion_loss_args=args)


CDA = {'cda': Method('CDA + ACE (full)', {})}
ROBUST = {'cda-robust': Method('CDA + ACE, robust', _ROBUST)}
BASELINE = {'baseline': _merged('Baseline, all sites merged')}

_WITHOUT_PARTS = {
    'baseline-ace': _loss('Baseline with ACE', 'adaptive_cross_entropy'),
    'baseline-d': Method('Baseline with d (DANN)', _DANN),
    'heads': Method('A head per site', _NO_G | _NO_D | _PLAIN),
    'heads-ace': Method('A head per site, ACE', _NO_G | _NO_D),
    'cda-without-d': Method('CDA + ACE without d', _NO_D),
    'cda-without-g': Method('CDA + ACE without g', _NO_G),
}
_WITH_OTHER_PARTS = {
    'cda-plain': Method('CDA, cross entropy for e and d', _PLAIN | _PLAIN_D),
    'cda-plain-e': Method('CDA, cross entropy for e', _PLAIN),
    'cda-plain-d': Method('CDA, cross entropy for d', _PLAIN_D),
    'cda-alpha-0.5': Method('CDA, ACE with alpha 0.5', {'emotion_loss_args': {'alpha': 0.5}}),
    'cda-soft': Method('CDA, soft pseudo labels', _SOFT),
    'cda-shared-head': Method('CDA, one head for all sites', _SHARED),
    'cda-common-head': Method('CDA, a further head for all sites', {'common_head': True}),
    'cda-lambda1-only': Method('CDA, no reversal into g', {'lambda2_max': 0.0}),
    'cda-lambda2-only': Method('CDA, no reversal into f', {'lambda1_max': 0.0}),
    'cda-lambda-0.1': Method('CDA, lambda to 0.1', {'lambda1_max': 0.1, 'lambda2_max': 0.1}),
    'cda-lambda-1': Method('CDA, lambda to 1', {'lambda1_max': 1.0, 'lambda2_max': 1.0}),
    'cda-dann': Method("CDA, lambda as in 'dann'", {'lambda_schedule': 'dann'}),
    'cda-batch-statistics': Method('CDA, ACE statistics of all sites', _OF_ALL_SITES),
    'cda-soft-batch-statistics': Method(
        'CDA, soft pseudo labels, ACE statistics of all sites', _SOFT | _OF_ALL_SITES
    ),
    'cda-averaging-site': Method('CDA, averaged over each site', {'site_size_power': 0.0}),
    'cda-without-dropout': Method('CDA, no dropout in g', {'dropout': 0.0}),
    'cda-site-smoothing': Method('CDA, site labels smoothed by 0.1', {'site_smoothing': 0.1}),
    'cda-d-dropout': Method('CDA, dropout 0.5 in d', {'dataset_classifier_dropout': 0.5}),
    'cda-d-rate-3': Method(
        'CDA, d learns 3 times as fast', {'dataset_classifier_rate_factor': 3.0}
    ),
}
ABLATION = BASELINE | _WITHOUT_PARTS | CDA | ROBUST | _WITH_OTHER_PARTS

_LOSSES = {
    'baseline': _merged('Cross entropy'),
    'loss-smoothing': _loss(
        'Cross entropy, labels smoothed by 0.1', 'cross_entropy', label_smoothing=0.1
    ),
    'baseline-ace': _loss('Adaptive cross entropy', 'adaptive_cross_entropy'),
    'loss-recall': _loss('Recall loss', 'recall_loss'),
    'loss-focal': _loss('Focal loss, gamma 2', 'focal_loss', gamma=2.0),
    'loss-cb': _loss(
        'Class-balanced cross entropy, beta 0.999', 'class_balanced_cross_entropy', beta=0.999
    ),
    'loss-cb-focal': _loss(
        'Class-balanced focal loss, beta 0.999, gamma 2',
        'class_balanced_focal_loss',
        beta=0.999,
        gamma=2.0,
    ),
    'loss-ldam': _loss(
        'LDAM, scale 1, re-weighted late', 'ldam_loss', scale=1.0, reweight_from=0.8
    ),
    'loss-balanced-softmax': _loss('Balanced softmax', 'balanced_softmax'),
    'loss-logit-adjusted': _loss(
        'Logit-adjusted cross entropy, tau 0.5', 'logit_adjusted_cross_entropy', tau=0.5
    ),
    'loss-posthoc': _merged('Cross entropy, logits adjusted afterwards', posthoc_tau=1.0),
    'loss-seesaw': _loss('Seesaw loss', 'seesaw_loss'),
}

_LTNET = {'shared_head': False, 'common_head': True, 'transition_matrices': True}
_RIVALS = {
    'heads': ABLATION['heads'],
    'baseline-d': ABLATION['baseline-d'],
    'cdan': _merged('CDAN', alignment='conditional_adversary', **_PLAIN_D),
    'coral': _merged('Deep CORAL', site_distance='coral'),
    'mmd': _merged('Multi-kernel MMD', site_distance='mmd'),
    'ltnet': _merged('Transition matrices (LTNet)', **_LTNET),
    'site-statistics': _merged('Batch norm statistics by site', batch_norm='site_statistics'),
    'dsbn': _merged('A batch norm per site (DSBN)', batch_norm='site'),
    'group-dro': _merged('GroupDRO over the sites', group_dro=0.01),
    'mixup': _merged('Mixup', mixup=0.2),
    'mixup-within': _merged('Mixup within each site', mixup=0.2, mixup_within='site'),
    'square-root-sampling': _merged('Square-root sampling', class_balance=0.5),
    'class-balanced-sampling': _merged('Class-balanced sampling', class_balance=1.0),
    'weight-average': _merged('Averaged weights', weight_average=0.999),
}
_REVERSED = ('lambda1_max', 'lambda_schedule', 'dataset_classifier_rate_factor', 'gradient_clip')
_DANN_ROBUST = _DANN | {name: _ROBUST[name] for name in _REVERSED}
_OWN_HEADS, _AVERAGE = _ROBUST | {'common_head': False}, _ROBUST | {'weight_average': 0.999}
_ONE_HEAD = _OWN_HEADS | {'shared_head': True, 'shared_statistics': 0.0}
_OF_ROBUST = {
    'cda-robust-adversary-only': Method(
        'CDA + ACE, robust, the adversary alone', _ROBUST | {'site_distance': 'none'}
    ),
    'cda-robust-label-balance': Method(
        'CDA + ACE, robust, classes even in L_2', _ROBUST | {'label_balance': 1.0}
    ),
    'cda-robust-own-heads': Method('CDA + ACE, robust, without the common head', _OWN_HEADS),
    'cda-robust-shared-head': Method('CDA + ACE, robust, one head for all sites', _ONE_HEAD),
    'cda-robust-average': Method('CDA + ACE, robust, averaged weights', _AVERAGE),
}
_METHODS = BASELINE | _RIVALS
_METHODS |= {'dann-robust': Method('DANN, reversed as in the robust form', _DANN_ROBUST)}
_METHODS |= CDA | ROBUST | _OF_ROBUST

# The share of a batch that the small site of 'stability' has, that of some hundred pictures.
SMALL_SHARE = 0.06

# The methods of which 'leave-one-site-out' trains one without each site.
LEFT_OUT_BASES = BASELINE | CDA | ROBUST
LEFT_OUT_BASES |= {k: ABLATION[k] for k in ('baseline-ace', 'cda-shared-head', 'cda-common-head')}


def methods_of(suite: str, sites: tuple[str, ...], *, papers_scale: bool) -> dict[str, Method]:
    """The methods that one of `SUITES` compares, by name; each is tested on all sites.

    Only at the paper's scale is there one with the paper's other batch size.
    """
    if suite == 'demonstration':
        return BASELINE | ROBUST
    if suite == 'paper':
        dataset_id = {'dataset-id': Method('Name that dataset', differences('dataset_id'))}
        alone = {f'baseline-{site}': _merged(f'Baseline, {site}', sites=(site,)) for site in sites}
        batch_350 = {'cda-batch-350': Method('CDA + ACE, batch 350', {'batch_size': 350})}
        return dataset_id | alone | BASELINE | CDA | (batch_350 if papers_scale else {})
    if suite == 'ablation':
        equal = Method('CDA, sites drawn equally often', {'site_weights': (1.0,) * len(sites)})
        return ABLATION | {'cda-equal-sites': equal}
    if suite in ('losses', 'methods'):
        return _LOSSES if suite == 'losses' else _METHODS
    if suite == 'stability':
        rest = (1 - SMALL_SHARE) / (len(sites) - 1)
        uneven = {'site_weights': (SMALL_SHARE, *[rest] * (len(sites) - 1))}
        averaged = {'cda-averaging-site': ABLATION['cda-averaging-site']}
        return {
            f'{name}-uneven': Method(title, fields | uneven)
            for name, (title, fields) in (CDA | averaged | ROBUST).items()
        }
    if suite == 'real':
        # With two sites, one without the other leaves nothing to align.
        bases = BASELINE | ROBUST if len(sites) > 2 else BASELINE
        on_all = BASELINE | {'heads': ABLATION['heads']} | CDA | ROBUST
        return on_all | _left_out(bases, sites)
    return _left_out(LEFT_OUT_BASES, sites)


def _left_out(bases: dict[str, Method], sites: tuple[str, ...]) -> dict[str, Method]:
    rest = {left_out: tuple(site for site in sites if site != left_out) for left_out in sites}
    return {
        left_out_name(name, site): Method(title, fields | {'sites': rest[site]})
        for name, (title, fields) in bases.items()
        for site in sites
    }


def left_out_name(method: str, site: str) -> str:
    """Name of a method that is trained without a site."""
    return f'{method}-without-{site}'
