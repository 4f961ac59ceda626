"""The methods: each as the config fields in which it differs from the full method."""

from cda_jax.suites.plan import Fields, Method, differences

MERGED = differences('baseline')
_PLAIN = {'emotion_loss': 'cross_entropy', 'emotion_loss_args': {}}
_PLAIN_D = {'dataset_loss': 'cross_entropy', 'dataset_loss_args': {}}
_NO_G, _NO_D = {'pseudo_label': 'none'}, {'alignment': 'none'}
_SHARED, _SOFT = {'shared_head': True}, {'pseudo_label': 'soft'}
_OF_ALL_SITES = {'shared_statistics': 1.0}


def _methods(of: dict[str, tuple[str, Fields]], base: Fields) -> dict[str, Method]:
    """Methods by name, from their titles and the fields in which they differ from a common base."""
    return {name: Method(title, base | fields) for name, (title, fields) in of.items()}


def _loss(name: str, **args) -> Fields:
    return {'emotion_loss': name, 'emotion_loss_args': args}


CDA = {'cda': Method('CDA + ACE (full)', {})}
ROBUST = {'cda-robust': Method('CDA + ACE, robust', differences('cda_robust'))}
BASELINE = {'baseline': Method('Baseline, all sites merged', MERGED)}
DATASET_ID = {'dataset-id': Method('Name that dataset', differences('dataset_id'))}
BATCH_350 = {'cda-batch-350': Method('CDA + ACE, batch 350', {'batch_size': 350})}

_WITHOUT_PARTS = {
    'baseline-d': ('Baseline with d (DANN)', _SHARED | _NO_G | _PLAIN | _PLAIN_D),
    'heads': ('A head per site', _NO_G | _NO_D | _PLAIN),
    'heads-ace': ('A head per site, ACE', _NO_G | _NO_D),
    'cda-without-d': ('CDA + ACE without d', _NO_D),
    'cda-without-g': ('CDA + ACE without g', _NO_G),
}
_WITH_OTHER_PARTS = {
    'cda-plain': ('CDA, cross entropy for e and d', _PLAIN | _PLAIN_D),
    'cda-plain-e': ('CDA, cross entropy for e', _PLAIN),
    'cda-plain-d': ('CDA, cross entropy for d', _PLAIN_D),
    'cda-alpha-0.5': ('CDA, ACE with alpha 0.5', {'emotion_loss_args': {'alpha': 0.5}}),
    'cda-soft': ('CDA, soft pseudo labels', _SOFT),
    'cda-shared-head': ('CDA, one head for all sites', _SHARED),
    'cda-common-head': ('CDA, a further head for all sites', {'common_head': True}),
    'cda-lambda1-only': ('CDA, no reversal into g', {'lambda2_max': 0.0}),
    'cda-lambda2-only': ('CDA, no reversal into f', {'lambda1_max': 0.0}),
    'cda-lambda-0.1': ('CDA, lambda to 0.1', {'lambda1_max': 0.1, 'lambda2_max': 0.1}),
    'cda-lambda-1': ('CDA, lambda to 1', {'lambda1_max': 1.0, 'lambda2_max': 1.0}),
    'cda-dann': ("CDA, lambda as in 'dann'", {'lambda_schedule': 'dann'}),
    'cda-batch-statistics': ('CDA, ACE statistics of all sites', _OF_ALL_SITES),
    'cda-soft-batch-statistics': (
        'CDA, soft pseudo labels, ACE statistics of all sites',
        _SOFT | _OF_ALL_SITES,
    ),
    'cda-averaging-site': ('CDA, averaged over each site', {'site_size_power': 0.0}),
    'cda-without-dropout': ('CDA, no dropout in g', {'dropout': 0.0}),
    'cda-site-smoothing': ('CDA, site labels smoothed by 0.1', {'site_smoothing': 0.1}),
    'cda-d-dropout': ('CDA, dropout 0.5 in d', {'dataset_classifier_dropout': 0.5}),
    'cda-d-rate-3': ('CDA, d learns 3 times as fast', {'dataset_classifier_rate_factor': 3.0}),
}
_ACE = {'baseline-ace': ('Baseline with ACE', _loss('adaptive_cross_entropy'))}
ABLATION = BASELINE | _methods(_ACE, MERGED) | _methods(_WITHOUT_PARTS, {})
ABLATION |= CDA | ROBUST | _methods(_WITH_OTHER_PARTS, {})

_CB_FOCAL = _loss('class_balanced_focal_loss', beta=0.999, gamma=2.0)
_LOSSES = {
    'baseline': ('Cross entropy', {}),
    'loss-smoothing': (
        'Cross entropy, labels smoothed by 0.1',
        _loss('cross_entropy', label_smoothing=0.1),
    ),
    'baseline-ace': ('Adaptive cross entropy', _loss('adaptive_cross_entropy')),
    'loss-recall': ('Recall loss', _loss('recall_loss')),
    'loss-focal': ('Focal loss, gamma 2', _loss('focal_loss', gamma=2.0)),
    'loss-cb': (
        'Class-balanced cross entropy, beta 0.999',
        _loss('class_balanced_cross_entropy', beta=0.999),
    ),
    'loss-cb-focal': ('Class-balanced focal loss, beta 0.999, gamma 2', _CB_FOCAL),
    'loss-ldam': (
        'LDAM, scale 1, re-weighted late',
        _loss('ldam_loss', scale=1.0, reweight_from=0.8),
    ),
    'loss-balanced-softmax': ('Balanced softmax', _loss('balanced_softmax')),
    'loss-logit-adjusted': (
        'Logit-adjusted cross entropy, tau 0.5',
        _loss('logit_adjusted_cross_entropy', tau=0.5),
    ),
    'loss-posthoc': ('Cross entropy, logits adjusted afterwards', {'posthoc_tau': 1.0}),
    'loss-seesaw': ('Seesaw loss', _loss('seesaw_loss')),
}
LOSSES = _methods(_LOSSES, MERGED)

_LTNET = {'shared_head': False, 'common_head': True, 'transition_matrices': True}
_RIVALS = {
    'cdan': ('CDAN', {'alignment': 'conditional_adversary'} | _PLAIN_D),
    'coral': ('Deep CORAL', {'alignment': 'coral'}),
    'mmd': ('Multi-kernel MMD', {'alignment': 'mmd'}),
    'ltnet': ('Transition matrices (LTNet)', _LTNET),
    'site-statistics': ('Batch norm statistics by site', {'batch_norm': 'site_statistics'}),
    'dsbn': ('A batch norm per site (DSBN)', {'batch_norm': 'site'}),
    'group-dro': ('GroupDRO over the sites', {'group_dro': 0.01}),
    'mixup': ('Mixup', {'mixup': 0.2}),
    'mixup-within': ('Mixup within each site', {'mixup': 0.2, 'mixup_within': 'site'}),
    'square-root-sampling': ('Square-root sampling', {'class_balance': 0.5}),
    'class-balanced-sampling': ('Class-balanced sampling', {'class_balance': 1.0}),
    'weight-average': ('Averaged weights', {'weight_average': 0.999}),
}
_ONE_HEAD = {'common_head': False, 'shared_head': True, 'shared_statistics': 0.0}
_OF_ROBUST = {
    'cda-robust-own-heads': (
        'CDA + ACE, robust, without the common head',
        {'common_head': False},
    ),
    'cda-robust-shared-head': ('CDA + ACE, robust, one head for all sites', _ONE_HEAD),
    'cda-robust-average': ('CDA + ACE, robust, averaged weights', {'weight_average': 0.999}),
}
_NAMES = ('lambda1_max', 'lambda_schedule', 'dataset_classifier_rate_factor', 'gradient_clip')
_REVERSED_AS_ROBUST = {name: ROBUST['cda-robust'].fields[name] for name in _NAMES}
_DANN = {
    'dann-robust': (
        'DANN, reversed as in the robust form',
        _SHARED | _NO_G | _PLAIN | _PLAIN_D | _REVERSED_AS_ROBUST,
    ),
}
METHODS = BASELINE | {name: ABLATION[name] for name in ('heads', 'baseline-d')}
METHODS |= _methods(_RIVALS, MERGED) | _methods(_DANN, {}) | CDA | ROBUST
METHODS |= _methods(_OF_ROBUST, ROBUST['cda-robust'].fields)

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
        alone = {f'baseline-{site}': (f'Baseline, {site}', {'sites': (site,)}) for site in sites}
        batch_350 = BATCH_350 if papers_scale else {}
        return DATASET_ID | _methods(alone, MERGED) | BASELINE | CDA | batch_350
    if suite == 'ablation':
        equal = Method('CDA, sites drawn equally often', {'site_weights': (1.0,) * len(sites)})
        return ABLATION | {'cda-equal-sites': equal}
    if suite in ('losses', 'methods'):
        return LOSSES if suite == 'losses' else METHODS
    if suite == 'stability':
        rest = (1 - SMALL_SHARE) / (len(sites) - 1)
        uneven = {'site_weights': (SMALL_SHARE, *[rest] * (len(sites) - 1))}
        averaged = {'cda-averaging-site': ABLATION['cda-averaging-site']}
        return {
            f'{name}-uneven': method._replace(fields=method.fields | uneven)
            for name, method in (CDA | averaged | ROBUST).items()
        }
    if suite == 'real':
        # With two sites, one without the other leaves nothing to align.
        bases = BASELINE | ROBUST if len(sites) > 2 else BASELINE
        return own_site_methods() | _left_out(bases, sites)
    return _left_out(LEFT_OUT_BASES, sites)


def own_site_methods() -> dict[str, Method]:
    """The methods that 'real' tests on the sites that they were trained on."""
    return BASELINE | {'heads': ABLATION['heads']} | CDA | ROBUST


def _left_out(bases: dict[str, Method], sites: tuple[str, ...]) -> dict[str, Method]:
    rest = {left_out: tuple(site for site in sites if site != left_out) for left_out in sites}
    return {
        left_out_name(name, site): method._replace(fields=method.fields | {'sites': rest[site]})
        for name, method in bases.items()
        for site in sites
    }


def left_out_name(method: str, site: str) -> str:
    """Name of a method that is trained without a site."""
    return f'{method}-without-{site}'
