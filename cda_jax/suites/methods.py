"""The methods: each as the config fields in which it differs from the full method."""

from cda_jax.suites.plan import Fields, Method, differences

MERGED = differences('baseline')
_PLAIN = {'emotion_loss': 'cross_entropy', 'emotion_loss_args': {}}
_PLAIN_D = {'dataset_loss': 'cross_entropy', 'dataset_loss_args': {}}
_NO_G, _NO_D = {'pseudo_label': 'none'}, {'alignment': 'none'}
_SHARED, _SOFT = {'shared_head': True}, {'pseudo_label': 'soft'}
_OF_ALL_SITES = {'shared_statistics': 1.0}


def _baseline(title, loss, **args) -> Method:
    return Method(title, MERGED | {'emotion_loss': loss, 'emotion_loss_args': args})


CDA = {'cda': Method('CDA + ACE (full)', {})}
ROBUST = {'cda-robust': Method('CDA + ACE, robust', differences('cda_robust'))}
BASELINE = {'baseline': Method('Baseline, all sites merged', MERGED)}
DATASET_ID = {'dataset-id': Method('Name that dataset', differences('dataset_id'))}
BATCH_350 = {'cda-batch-350': Method('CDA + ACE, batch 350', {'batch_size': 350})}

ABLATION = (
    BASELINE
    | {
        'baseline-ace': _baseline('Baseline with ACE', 'adaptive_cross_entropy'),
        'baseline-d': Method('Baseline with d (DANN)', _SHARED | _NO_G | _PLAIN | _PLAIN_D),
        'heads': Method('A head per site', _NO_G | _NO_D | _PLAIN),
        'heads-ace': Method('A head per site, ACE', _NO_G | _NO_D),
        'cda-without-d': Method('CDA + ACE without d', _NO_D),
        'cda-without-g': Method('CDA + ACE without g', _NO_G),
    }
    | CDA
    | ROBUST
    | {
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
)

LOSSES = {
    'baseline': Method('Cross entropy', MERGED),
    'loss-smoothing': _baseline(
        'Cross entropy, labels smoothed by 0.1', 'cross_entropy', label_smoothing=0.1
    ),
    'baseline-ace': _baseline('Adaptive cross entropy', 'adaptive_cross_entropy'),
    'loss-recall': _baseline('Recall loss', 'recall_loss'),
    'loss-focal': _baseline('Focal loss, gamma 2', 'focal_loss', gamma=2.0),
    'loss-cb': _baseline(
        'Class-balanced cross entropy, beta 0.999', 'class_balanced_cross_entropy', beta=0.999
    ),
    'loss-cb-focal': _baseline(
        'Class-balanced focal loss, beta 0.999, gamma 2',
        'class_balanced_focal_loss',
        beta=0.999,
        gamma=2.0,
    ),
    'loss-ldam': _baseline(
        'LDAM, scale 1, re-weighted late', 'ldam_loss', scale=1.0, reweight_from=0.8
    ),
    'loss-balanced-softmax': _baseline('Balanced softmax', 'balanced_softmax'),
    'loss-logit-adjusted': _baseline(
        'Logit-adjusted cross entropy, tau 0.5', 'logit_adjusted_cross_entropy', tau=0.5
    ),
    'loss-posthoc': Method(
        'Cross entropy, logits adjusted afterwards', MERGED | {'posthoc_tau': 1.0}
    ),
    'loss-seesaw': _baseline('Seesaw loss', 'seesaw_loss'),
}


def _other(title: str, fields: Fields, base: Fields = MERGED) -> Method:
    return Method(title, base | fields)


_ROBUST = ROBUST['cda-robust'].fields
METHODS = (
    BASELINE
    | {
        'heads': ABLATION['heads'],
        'baseline-d': ABLATION['baseline-d'],
        'cdan': _other('CDAN', {'alignment': 'conditional_adversary'} | _PLAIN_D),
        'coral': _other('Deep CORAL', {'alignment': 'coral'}),
        'mmd': _other('Multi-kernel MMD', {'alignment': 'mmd'}),
        'ltnet': _other(
            'Transition matrices (LTNet)',
            {'shared_head': False, 'common_head': True, 'transition_matrices': True},
        ),
        'site-statistics': _other(
            'Batch norm statistics by site', {'batch_norm': 'site_statistics'}
        ),
        'dsbn': _other('A batch norm per site (DSBN)', {'batch_norm': 'site'}),
        'group-dro': _other('GroupDRO over the sites', {'group_dro': 0.01}),
        'mixup': _other('Mixup', {'mixup': 0.2}),
        'mixup-within': _other('Mixup within each site', {'mixup': 0.2, 'mixup_within': 'site'}),
        'square-root-sampling': _other('Square-root sampling', {'class_balance': 0.5}),
        'class-balanced-sampling': _other('Class-balanced sampling', {'class_balance': 1.0}),
        'weight-average': _other('Averaged weights', {'weight_average': 0.999}),
    }
    | CDA
    | ROBUST
    | {
        'cda-robust-own-heads': _other(
            'CDA + ACE, robust, without the common head', {'common_head': False}, _ROBUST
        ),
        'cda-robust-shared-head': _other(
            'CDA + ACE, robust, one head for all sites',
            {'common_head': False, 'shared_head': True, 'shared_statistics': 0.0},
            _ROBUST,
        ),
        'cda-robust-average': _other(
            'CDA + ACE, robust, averaged weights', {'weight_average': 0.999}, _ROBUST
        ),
    }
)

# The share of a batch that the small site of 'stability' has, that of some hundred pictures.
SMALL_SHARE = 0.06

# The methods of which 'leave-one-site-out' trains one without each site.
LEFT_OUT_BASES = (
    BASELINE
    | CDA
    | ROBUST
    | {name: ABLATION[name] for name in ('baseline-ace', 'cda-shared-head', 'cda-common-head')}
)


def methods_of(suite: str, sites: tuple[str, ...], *, papers_scale: bool) -> dict[str, Method]:
    """The methods that one of `SUITES` compares, by name; each is tested on all sites.

    Only at the paper's scale is there one with the paper's other batch size.
    """
    if suite == 'demonstration':
        return BASELINE | ROBUST
    if suite == 'paper':
        alone = {
            f'baseline-{site}': Method(f'Baseline, {site}', MERGED | {'sites': (site,)})
            for site in sites
        }
        return DATASET_ID | alone | BASELINE | CDA | (BATCH_350 if papers_scale else {})
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
    return {
        left_out_name(name, left_out): method._replace(
            fields=method.fields | {'sites': tuple(site for site in sites if site != left_out)}
        )
        for name, method in bases.items()
        for left_out in sites
    }


def left_out_name(method: str, site: str) -> str:
    """Name of a method that is trained without a site."""
    return f'{method}-without-{site}'
