"""The names of the experts, the networks that a base model of the WAN 2.2 kind draws with."""

EXPERTS = ("high_noise", "low_noise")  # in the order in which they draw; a base model with one has the second
