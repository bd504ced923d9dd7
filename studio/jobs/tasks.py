"""Job kind -> core function. Each takes the job's config.json and a Recorder, and returns a JSON-ready result."""

import dataclasses
import shutil
from pathlib import Path

from studio import config as settings
from studio.errors import Problem
from studio.jobs import siblings
from studio.jobs.state import read_config
from studio.workspace import Workspace, project_of


def run_task(run_dir, recorder):
    """Run the job of that folder to its end, or until it saw a request to stop."""
    config = read_config(run_dir)
    return _TASKS[config["kind"]](run_dir, config, recorder)


def _set_up_torch(project):
    """Quiet, and with as many threads as suit the project's base model: on small tensors threads wait for each other longer than they compute."""
    import torch

    from studio.models.loading import quiet_libraries
    from studio.models.preset import model_preset

    quiet_libraries()
    if threads := model_preset(project.facts().base_model).cpu_threads:
        torch.set_num_threads(threads)


def _train(run_dir, config, recorder):
    from studio.training.loop import train

    _set_up_torch(project_of(run_dir))
    train_config = settings.from_dict(settings.TrainConfig, config["config"])
    if config.get("device") == "cuda":
        _require_gpu()
    with siblings.team(run_dir, train_config.processes, recorder) as voice:
        return train(train_config, run_dir, report=voice.report, should_stop=voice.should_stop, should_save=voice.should_save)


def train_beside(run_dir, report, should_stop):
    """What a sibling does: the same training, of which it takes its own part."""
    from studio.training.loop import train

    _set_up_torch(project_of(run_dir))
    train_config = settings.from_dict(settings.TrainConfig, read_config(run_dir)["config"])
    return train(train_config, run_dir, report=report, should_stop=should_stop)


def _rehearse(run_dir, config, recorder):
    from studio.training.rehearsal import rehearse

    _set_up_torch(project_of(run_dir))
    if config.get("device") == "cuda":
        _require_gpu()
    train_config = settings.from_dict(settings.TrainConfig, config["config"])
    return rehearse(train_config, run_dir, report=recorder.report, should_stop=recorder.should_stop)


def _require_gpu():
    from studio.models.loading import why_no_gpu

    if why := why_no_gpu():
        raise Problem(
            f"This run was planned for a GPU, and none can be used now: {why}",
            cost="Nothing was lost.",
            fix="Check the driver with the doctor command and resume, or start a new run: it is planned for what is there.",
            action="resume",
        )


def _sweep(run_dir, config, recorder):
    from studio.evaluation.drawing import run_sweep

    _set_up_torch(project_of(run_dir))
    sweep_config = settings.from_dict(settings.SweepConfig, config["config"])
    return run_sweep(sweep_config, run_dir, report=recorder.report, should_stop=recorder.should_stop)


def _caption(run_dir, config, recorder):
    from studio.data.captions.writer import find_captioner, write_captions
    from studio.models.catalogue import describe_model, find_model

    project = project_of(run_dir)
    caption_config = settings.from_dict(settings.CaptionConfig, config["config"])

    def find_path():  # captions can be written before the base model is there
        _set_up_torch(project)
        name = project.facts().base_model
        base = find_model(name, project.workspace) if describe_model(name, project.workspace).available else None
        return find_captioner(caption_config.captioner, base, project.workspace)

    return write_captions(
        project,
        captioner_path=find_path,
        config=caption_config,
        only=config.get("only"),
        overwrite_auto=config.get("overwrite_auto", False),
        report=recorder.report,
        should_stop=recorder.should_stop,
    )


def _import(run_dir, config, recorder):
    from studio.data.importer import import_media

    project, paths = project_of(run_dir), [Path(p) for p in config["paths"]]
    sent = config.get("delete_after", False)  # copies that a browser sent; a person's own folders are never touched
    try:
        found = import_media(project, _contents(paths) if sent else paths, report=recorder.report, should_stop=recorder.should_stop)
    finally:
        if sent:
            for path in paths:
                if path.is_relative_to(project.root):
                    shutil.rmtree(path, ignore_errors=True)
    found.rejected[:0] = [tuple(entry) for entry in config.get("left_out", [])]  # what did not even get here
    return dataclasses.asdict(found)


def _contents(folders):
    """The files in the folders of an upload, one by one: so they are called by the names that the person knows."""
    return [path for folder in folders for path in (_files_in(folder) if folder.is_dir() else [folder])]


def _files_in(folder):
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: (len(path.parts), path))


def _curate(run_dir, config, recorder):
    from studio.data.curation import curate

    return curate(project_of(run_dir), keep=config.get("keep", settings.NUM_KEPT), report=recorder.report, should_stop=recorder.should_stop)


def _download(run_dir, config, recorder):
    from studio.models.fetch.download import download_model

    workspace = Workspace(project_of(run_dir).workspace.home.parents[1])  # its jobs lie in <home>/models/.downloads
    return download_model(config["model"], workspace, report=recorder.report, should_stop=recorder.should_stop)


_TASKS = {
    "train": _train,
    "rehearse": _rehearse,
    "sweep": _sweep,
    "caption": _caption,
    "import": _import,
    "curate": _curate,
    "download": _download,
}
