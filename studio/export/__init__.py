"""Export: checkpoint pairs and datasets for ComfyUI and for other trainers."""
