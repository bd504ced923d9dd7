"""Export: checkpoint pairs and datasets for ComfyUI and for other trainers."""

from studio.export.pairs import TARGETS, export_pair

__all__ = ["TARGETS", "export_pair"]
