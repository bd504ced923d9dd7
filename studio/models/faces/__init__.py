"""Real faces: found, told apart, turned which way, and the person's outline; four small models that OpenCV runs on the processor. Torch-free."""
