"""Which methods make up a suite."""

from cda_jax.suites.methods import (
    ABLATION,
    BASELINE,
    BATCH_350,
    CDA,
    DATASET_ID,
    LOSSES,
    Method,
    left_out_name,
    on_one_site,
    without_site,
)

SUITES = ('paper', 'ablation', 'losses', 'leave-one-site-out')


def methods_of(suite: str, sites: tuple[str, ...], *, papers_scale: bool) -> dict[str, Method]:
    """The methods that a suite compares, by name.

    Args:
        suite: One of `SUITES`.
        sites: All sites; every method is tested on all of them.
        papers_scale: Whether runs have the paper's size; only then is there one with the paper's
            other batch size.
    """
    if suite == 'paper':
        alone = {f'baseline-{site}': on_one_site(site) for site in sites}
        return DATASET_ID | alone | BASELINE | CDA | (BATCH_350 if papers_scale else {})
    if suite == 'ablation':
        equal = Method('CDA, sites drawn equally often', {'site_weights': (1.0,) * len(sites)})
        return ABLATION | {'cda-equal-sites': equal}
    if suite == 'losses':
        return LOSSES
    return {
        left_out_name(name, site): without_site(method, site, sites)
        for name, method in LEFT_OUT_BASES.items()
        for site in sites
    }


# The methods of which 'leave-one-site-out' trains one without each site.
LEFT_OUT_BASES = (
    BASELINE
    | CDA
    | {name: ABLATION[name] for name in ('baseline-ace', 'cda-shared-head', 'cda-common-head')}
)
