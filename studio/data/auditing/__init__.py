"""Looking over all captions together: what is missing, mistyped, contradicting, and what will be learned as part of the person."""
