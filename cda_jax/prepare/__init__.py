"""From a dataset's own folder to records: readers, crops, shards."""
