"""Files that hold the captions of many photos. Each file in this folder reads one kind: `read(text, index)` gives its Listing, or None for another."""
