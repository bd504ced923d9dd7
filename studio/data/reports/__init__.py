"""What the jobs of a dataset came to: an import, a check of the pictures, the writing of captions. The window reads them without looking at a picture."""
