"""What is cut off a photo: by training, which keeps the head, and on request; turning and mirroring on request only."""
