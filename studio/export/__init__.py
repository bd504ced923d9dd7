"""Export: checkpoint pairs and datasets for ComfyUI and for other trainers; a file each in targets/."""
