"""Raw media to shards: what is extracted, and the decoding of it, all of it or one part."""
