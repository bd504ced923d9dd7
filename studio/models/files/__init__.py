"""Weights and LoRAs in files: their names, forms and folders."""
