"""Where a run stands in its data, so that it goes on in the same data only."""

import hashlib

import msgspec

from cda_jax.data.sites import Part


class SiteIdentity(msgspec.Struct, frozen=True):
    """What changes when other records are read, or the same pictures prepared otherwise."""

    examples: int
    rows_sha256: str
    image_size: int
    encoding: str
    quality: int | None
    dropped: str = ''  # a digest of the pictures that are left out as copies; '' if there are none


class DataPosition(msgspec.Struct, frozen=True):
    """Where a run stands in its data: which stream of batches it reads, and how many it has read.

    Kept in every checkpoint; a run goes on only in the same stream.
    """

    batches_read: int
    total_steps: int
    batch_size: int  # of all devices and processes
    seed: int  # of the shuffling
    site_shares: list[float]  # of a batch, in proportion to each other
    class_names: list[str]
    head_class_counts: list[list[int]]  # training examples, by emotion classifier and class
    sites: dict[str, SiteIdentity]  # by name, in their order
    class_balance: float = 0.0  # how evenly a site's classes are drawn
    # Of each site, places in `class_names`; empty where every site has all of them.
    site_classes: list[list[int]] = []


def identify(part: Part) -> SiteIdentity:
    """What a site's records are known by."""
    manifest = part.site.manifest
    dropped = sorted((each.split, each.row) for each in manifest.dropped)
    return SiteIdentity(
        examples=len(part.records),
        rows_sha256=manifest.rows_sha256,
        image_size=manifest.image_size,
        encoding=manifest.encoding,
        quality=manifest.quality,
        dropped=hashlib.sha256(repr(dropped).encode()).hexdigest()[:16] if dropped else '',
    )
