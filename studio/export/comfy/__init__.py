"""The last step: a pair into a person's own ComfyUI, with workflows that name the files which that ComfyUI has. Torch-free."""
