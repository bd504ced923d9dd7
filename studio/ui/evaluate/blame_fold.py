"""Which file of a pair it is: each of the two drawn alone, and both exchanged, on two prompts; the answer stands among the verdict's reasons."""

import gradio as gr

from studio.config import to_dict
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.file_probe import open_probe
from studio.evaluation.sweep_facts import WAITING
from studio.jobs.kinds.sweep import SweepJob
from studio.ui import actions
from studio.ui.evaluate import view as evaluate_view
from studio.ui.page import Page
from studio.workspace import Project

WHAT = (
    "Two prompts are drawn with each file alone and with both exchanged: six short clips at most. What they tell stands under the verdict."
)


def build_blame(page: Page) -> None:
    with gr.Accordion("Something is wrong with a pair: which of its files is it?", open=False, elem_id="blame", elem_classes="fold"):
        pair = gr.Dropdown([], label="Checkpoint pair", info=WHAT, elem_id="blame-pair")
        with gr.Row(elem_classes="start-row"):
            start = gr.Button("Draw each file alone", elem_id="start-blame", scale=0, min_width=200)
    page.acts(start.click, draw_files, [pair])
    page.reads(read_pairs, [pair, start], tab="evaluate")


def draw_files(project: Project, pair: str | None) -> str:
    """Queue the drawing of a pair's files; a sentence."""
    folder = evaluate_view.find_sweep(project, "")
    if folder is None:
        raise Problem("Nothing was compared yet.", fix="Draw the test clips first.", action="start-sweep")
    if not pair:
        raise Problem("No pair is chosen.", fix="Choose the one that something is wrong with.")
    if actions.is_busy(project, SweepJob.KIND):
        raise Problem("Clips are being drawn already.", fix="Wait for them.")
    probe = open_probe(project, sweeps.read_sweep(folder), pair)
    plan = sweeps.read_sweep(probe)
    if not plan.count_states()[WAITING]:
        return "They are drawn already; what they told stands under the verdict."
    actions.queue(
        project, SweepJob(config=to_dict(plan.config), pairs=(pair,), sweep=probe.name, probe=True), f"Draw the files of {pair} alone"
    )
    return "Each of its files is being drawn alone; what that tells will stand under the verdict."


def read_pairs(project: Project | None) -> list[dict[str, object]]:
    folder = evaluate_view.find_sweep(project, "") if project else None
    if folder is None:
        return [gr.update(choices=[], value=None), gr.update(interactive=False)]
    sweep = sweeps.read_sweep(folder)
    titles = evaluate_view.pair_titles(sweep)
    choices = [(titles[pair.id], pair.id) for pair in sweep.pairs if pair.high_sha256 and pair.low_sha256]
    return [gr.update(choices=choices), gr.update(interactive=bool(choices))]
