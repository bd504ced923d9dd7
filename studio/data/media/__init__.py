"""Photos and clips as files: what they are, how they are read, and what is made of them."""
