"""Trainings of several processes: each is a real one, and they talk through gloo, as on several graphics cards."""

import contextlib
import multiprocessing
import os
import queue
import tempfile
import time

import torch
from training_kit import Events

import studio.config
from studio.errors import Problem
from studio.jobs.processes import rank_variables, stop_file
from studio.training.loop import train

PATIENCE_SECONDS = 120
# a process that has loaded torch, and computed nothing, is the mother of all where there is such a thing: loading takes longer than training
context = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
if context.get_start_method() == "forkserver":
    context.set_forkserver_preload(["studio.training.loop", "diffusers.models.transformers.transformer_wan", "peft", "torch._dynamo"])


@contextlib.contextmanager
def nothing_happens(rank, run_dir):
    """A plot: what befalls a process while the block runs; yields its should_stop."""
    yield lambda: False


def run_team(config, run_dir, plot=nothing_happens):
    """{rank: (events, result, or how it failed)} of those of config.processes processes that spoke at their end."""
    told, folder = context.Queue(), tempfile.mkdtemp(dir=run_dir)
    team = [
        context.Process(target=member, args=(rank, folder, config, run_dir, plot, studio.config.PRESETS_DIR, told))
        for rank in range(config.processes)
    ]
    for process in team:
        process.start()
    answers, end = {}, time.monotonic() + PATIENCE_SECONDS
    try:
        while any(process.is_alive() for process in team) or not told.empty():
            assert time.monotonic() < end, f"{sorted(answers)} have ended, the others have not"
            with contextlib.suppress(queue.Empty):
                rank, *answer = told.get(timeout=0.1)
                answers[rank] = answer
    finally:
        for process in team:
            process.kill()
    stop_file(run_dir).unlink(missing_ok=True)
    return answers


def member(rank, folder, config, run_dir, plot, presets, told):
    os.environ.update(rank_variables(rank, config.processes, folder))
    studio.config.PRESETS_DIR = presets
    torch.set_num_threads(1)
    events = Events()
    try:
        with plot(rank, run_dir) as should_stop:
            result = train(config, run_dir, report=events, should_stop=lambda: should_stop() or stop_file(run_dir).exists())
    except Problem as error:
        result = {"error": type(error).__name__} | error.to_dict()
        stop_file(run_dir).touch()  # as the process that runs the job tells all others
    told.put((rank, list(events), result))


def losses(*told):
    """{("step" | "held_out", expert, its step): loss} of what processes reported."""
    return {
        (event, fields["expert"], fields["expert_step"]): fields["loss"]
        for events in told
        for event, fields in events
        if event in ("step", "held_out")
    }
