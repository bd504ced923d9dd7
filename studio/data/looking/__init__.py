"""What is seen in a photo or clip: faces, sharpness, light, place and outfit; measured once for a content, and kept beside the cache."""
