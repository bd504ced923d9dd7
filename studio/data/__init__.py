"""Dataset: media in, captions, measurements, thumbnails, buckets, the cache of latents and embeddings."""
