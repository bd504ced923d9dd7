"""Evaluation: sweeps, rendering, scores, verdict, report."""
