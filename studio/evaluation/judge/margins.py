"""What may be told apart: used by the verdict and by what scores say of themselves."""

HELD_OUT_MARGIN = 0.02  # a held-out loss lower by less than this share says nothing
SAME = 0.02  # an identity higher by less than 2 % of the photos' is no reason to train longer
TOLD_APART = 0.05  # below this a few prompts can't tell: it takes the sign test
