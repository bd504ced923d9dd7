"""The embedded model's observer: how it learned to see the people of its world, and how well it does."""
