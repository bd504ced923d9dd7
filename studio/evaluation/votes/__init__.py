"""Blind votes on two clips at a time: kept with the comparison, asked where they tell most, and what they say of the pairs."""
