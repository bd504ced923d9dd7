"""LoRA files of any trainer: what their names mean, how strong they are, which base models they fit, and what in them is no use here."""
