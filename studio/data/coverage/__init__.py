"""What the kept photos cover, what is missing, and how ready they are: coded sentences, each with what it will probably cause and what mends it."""
