"""From files to batches: readers, labels, splits, metadata, pictures, cache."""
