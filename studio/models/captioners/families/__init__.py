"""The families of captioners, one file each; `studio.models.captioners.family` says what a family gives."""
