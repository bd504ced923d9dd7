"""Base models: the catalogue, loading, LoRA files and injection, block swapping."""
