"""The writing of captions by a captioner: what it is asked, what its answer is worth, and what all captions together call a thing."""
