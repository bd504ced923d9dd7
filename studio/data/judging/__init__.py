"""What the measurements of a photo mean: limits as a table, read when a photo is judged and not when it is measured."""
