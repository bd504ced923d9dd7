"""The Gradio studio; never imports torch."""
