"""What of the embedded model reads and writes words: the text encoder and the captioner."""
