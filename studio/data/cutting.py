"""Shortens a clip of the dataset, as one step that can be undone."""

from pathlib import Path

from studio.data import dataset
from studio.data.media.clips import CRF, probe_clip
from studio.errors import Problem
from studio.workspace import Project


def cut_clip(project: Project, item_id: str, start: float, end: float, *, as_new: bool = False) -> str:
    """Shorten a clip of the dataset to [start, end) seconds, or with `as_new` add that part as a new item; the id of the cut item.

    One step of undo; the file in originals/ stays as it is. ValueError if the times don't fit the clip.
    """
    item = dataset.get_item(project, item_id)
    if item.kind != "clip" or item.problem:
        raise ValueError(f"{item_id} is not a clip that can be cut")
    start, end = round(float(start), 3), round(min(float(end), item.seconds), 3)
    if not 0 <= start < end or (end - start) * item.fps < 2:
        raise ValueError(f"a cut from {start} s to {end} s does not fit a clip of {item.seconds:.2f} s; start must lie before end")
    with dataset.incoming(project) as folder:
        cut = folder / "cut.mp4"
        _cut_with_moviepy(item.path, cut, start, end, min(item.fps, 60.0))
        return dataset.replace_media(project, item, cut, probe_clip(cut), as_new, f"Cut of {item_id}")


def _cut_with_moviepy(source: Path, target: Path, start: float, end: float, fps: float) -> None:
    from moviepy import VideoFileClip  # takes a second to load

    options = ["-crf", CRF, "-pix_fmt", "yuv420p", "-map_metadata", "-1", "-bf", "0"]
    try:
        with VideoFileClip(str(source), audio=False) as clip:
            part = clip.subclipped(start, min(end, clip.duration))
            part.write_videofile(str(target), fps=fps, codec="libx264", audio=False, ffmpeg_params=options, logger=None)
    except OSError as e:  # moviepy's message is ffmpeg's whole log; the job's or studio's own log keeps it
        raise Problem(
            "The cut could not be written.",
            cost="Nothing was lost; the clip is as it was.",
            fix="Check that the disk has free space, then try again.",
        ) from e
