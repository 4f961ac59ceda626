"""The methods: each as the config fields in which it differs from the full method."""

from cda_jax.suites.plan import Method, differences_from_cda

MERGED = differences_from_cda('baseline')
_PLAIN = {'emotion_loss': 'cross_entropy', 'emotion_loss_args': {}}
_PLAIN_D = {'dataset_loss': 'cross_entropy', 'dataset_loss_args': {}}
_NO_G, _NO_D = {'pseudo_label': 'none'}, {'dataset_classifier': False}
_SHARED, _SOFT = {'shared_head': True}, {'pseudo_label': 'soft'}
_OF_ALL_SITES = {'shared_statistics': 1.0}


def _baseline(title, loss, **args) -> Method:
    return Method(title, MERGED | {'emotion_loss': loss, 'emotion_loss_args': args})


CDA = {'cda': Method('CDA + ACE (full)', {})}
BASELINE = {'baseline': Method('Baseline, all sites merged', MERGED)}
DATASET_ID = {'dataset-id': Method('Name that dataset', differences_from_cda('dataset_id'))}
BATCH_350 = {'cda-batch-350': Method('CDA + ACE, batch 350', {'batch_size': 350})}

ABLATION = (
    BASELINE
    | {
        'baseline-ace': _baseline('Baseline with ACE', 'adaptive_cross_entropy'),
        'baseline-d': Method('Baseline with d', _SHARED | _NO_G | _PLAIN | _PLAIN_D),
        'heads': Method('A head per site', _NO_G | _NO_D | _PLAIN),
        'heads-ace': Method('A head per site, ACE', _NO_G | _NO_D),
        'cda-without-d': Method('CDA + ACE without d', _NO_D),
        'cda-without-g': Method('CDA + ACE without g', _NO_G),
    }
    | CDA
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

RIVALS = {
    'baseline': BASELINE['baseline'],
    'weight-average': Method(
        'Baseline, weights averaged, decay 0.999', MERGED | {'weight_average': 0.999}
    ),
    'class-balance-0.5': Method(
        'Baseline, classes drawn by square roots', MERGED | {'class_balance': 0.5}
    ),
    'class-balance-1': Method('Baseline, classes drawn equally', MERGED | {'class_balance': 1.0}),
    'group-dro': Method('Baseline, GroupDRO over the sites', MERGED | {'group_dro': 0.01}),
    'mixup': Method('Baseline, mixup with alpha 0.2', MERGED | {'mixup': 0.2}),
    'cda': CDA['cda'],
    'cda-weight-average': Method('CDA, weights averaged', {'weight_average': 0.999}),
    'cda-group-dro': Method('CDA, GroupDRO over the sites', {'group_dro': 0.01}),
    'cda-soft-mixup': Method(
        'CDA, soft pseudo labels, mixup within a site',
        _SOFT | {'mixup': 0.2, 'mixup_within': 'site'},
    ),
    'cda-class-balance-1': Method('CDA, classes drawn equally', {'class_balance': 1.0}),
}

# The methods of which 'leave-one-site-out' trains one without each site.
LEFT_OUT_BASES = (
    BASELINE
    | CDA
    | {name: ABLATION[name] for name in ('baseline-ace', 'cda-shared-head', 'cda-common-head')}
)


def methods_of(suite: str, sites: tuple[str, ...], *, papers_scale: bool) -> dict[str, Method]:
    """The methods that one of `SUITES` compares, by name; each is tested on all sites.

    Only at the paper's scale is there one with the paper's other batch size.
    """
    if suite == 'paper':
        alone = {
            f'baseline-{site}': Method(f'Baseline, {site}', MERGED | {'sites': (site,)})
            for site in sites
        }
        return DATASET_ID | alone | BASELINE | CDA | (BATCH_350 if papers_scale else {})
    if suite == 'ablation':
        equal = Method('CDA, sites drawn equally often', {'site_weights': (1.0,) * len(sites)})
        return ABLATION | {'cda-equal-sites': equal}
    if suite in ('losses', 'rivals'):
        return LOSSES if suite == 'losses' else RIVALS
    return {
        left_out_name(name, left_out): method._replace(
            fields=method.fields | {'sites': tuple(site for site in sites if site != left_out)}
        )
        for name, method in LEFT_OUT_BASES.items()
        for left_out in sites
    }


def left_out_name(method: str, site: str) -> str:
    """Name of a method that is trained without a site."""
    return f'{method}-without-{site}'
