"""The left side of the page: which person, a new person, and what the computer is doing."""
