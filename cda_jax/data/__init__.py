"""From a dataset's own folder to batches on the device."""
