"""What an import is given: where it lies, what it is, what it says, and which captions belong to which photos."""
