"""Who is in the photos: groups of faces, which of them is the person, and what a human says about it."""
