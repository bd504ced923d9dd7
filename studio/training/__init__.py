"""Training: flow matching, preservation, the optimizer step, checkpoints, the loop, the plan."""
