"""What the Dataset tab shows of pictures: all of them together, and one of them large."""
