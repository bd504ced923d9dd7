"""From clips to a verdict: scores, what they mean, and the words for it."""
