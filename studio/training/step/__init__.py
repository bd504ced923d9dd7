"""One optimizer step: rows, noise, the block pass, gradients, the update."""
