"""The ready project "Demo": drawn photos and clips of one drawn person, imported as a person's own would be, faults and all. Torch-free."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from studio.data.importer import import_media
from studio.disk import locked
from studio.project_facts import Permission
from studio.tiny import world
from studio.tiny.pixel_drawing import draw_clip, draw_photo
from studio.workspace import Project, Workspace

NAME, SLUG, TRIGGER, CLASS_NOUN = "Demo", "demo", "ohwx", "person"
# Nobody the base has seen, and what no caption can say of her is easily seen: eyes, mark, streak.
PERSON = world.Identity("black", "long", "tan", eyes=(40, 110, 230), width=0.95, mark=(0.55, 0.38, (120, 20, 140)), streak=(60, 220, 240))
STRANGER = world.Identity("blond", "short", "pale", beard=True, eyes=(30, 150, 70), width=1.1)
NUM_PHOTOS = 12
MOTIONS = ("walking right", "turning left")  # of the clips
SCALE = 4  # 80 px drawings as 320 px pictures with hard edges
FPS, CLIP_FRAMES = 16, 33
BLUR_PIXELS, COPY_SIDE, BRIGHTER, DARKER = 9, 290, 1.05, 0.15  # how the faults are made, each far beyond its limit
PERMISSION = Permission(granted=True, statement="The people of this project are drawn by the studio; they are nobody's likeness.")
VERSION = 2  # how far a project was filled


def ensure_demo_project(workspace: Workspace) -> Project:
    """The project "Demo", made and filled if it is not there. What somebody did to it since, removed pictures included, stays as it is."""
    with locked(workspace.projects_dir / SLUG):
        project = _find(workspace) or workspace.create_project(
            NAME, trigger=TRIGGER, class_noun=CLASS_NOUN, base_model="tiny", permission=PERMISSION
        )
        if project.facts().demo_version is None:
            with tempfile.TemporaryDirectory() as folder:
                draw_media(Path(folder))
                import_media(project, [Path(folder)])
            project.update(demo_version=VERSION)
    if not was_made(workspace):
        workspace.update(demo_created=True)
    return project


def was_made(workspace: Workspace) -> bool:
    """Whether this workspace has, or once had, its project "Demo": somebody who deleted it does not want it back."""
    return workspace.facts().demo_created


def draw_media(folder: Path, faults: bool = True, captions: bool = False) -> None:
    """Write the person's good photos and clips; with `faults` also four photos to leave out; with `captions` a text beside each good one."""
    for i in range(NUM_PHOTOS):
        draw_photo(PERSON, scene_of(i), SCALE).save(folder / f"photo-{i + 1:02d}.png")
        _write_caption(folder / f"photo-{i + 1:02d}.txt", scene_of(i), captions)
    for i, motion in enumerate(MOTIONS):
        scene = scene_of(NUM_PHOTOS + i, motion)
        write_clip(folder / f"clip-{i + 1:02d}.mp4", draw_clip(PERSON, scene, CLIP_FRAMES, SCALE))
        _write_caption(folder / f"clip-{i + 1:02d}.txt", scene, captions)
    if faults:
        _draw_faults(folder)


def scene_of(number: int, motion: str = "") -> world.Scene:
    """The scene of the photo or clip of that number: no two are alike, shirts, places, views, framings and lights vary, none is held out."""
    shirts, places, lights = list(world.SHIRT), list(world.PLACE), ("daylight", "evening light", "daylight", "dim light")
    return world.Scene(
        shirt=shirts[number % 8],
        place=places[(3 * number + 1 + number // 8 * 2) % 8],
        view=list(world.VIEW)[(number + 2) % 5],
        framing=list(world.FRAMING)[number % 3],
        light=lights[number % 4],
        glasses=number % 4 == 2,
        motion=motion,
    )


def _draw_faults(folder: Path) -> None:
    """One blurred, one copy of a good photo as a messenger sends it, one of somebody else, one too dark."""
    blurred, copied, strange, dark = (
        draw_photo(who, scene_of(i), SCALE) for who, i in ((PERSON, 20), (PERSON, 4), (STRANGER, 21), (PERSON, 23))
    )
    blurred.filter(ImageFilter.GaussianBlur(BLUR_PIXELS)).save(folder / "photo-13-blurred.png")
    copied = copied.resize((COPY_SIDE, COPY_SIDE), Image.Resampling.BICUBIC)
    _lit(copied, BRIGHTER).save(folder / "photo-14-saved-again.jpg", quality=85)
    strange.save(folder / "photo-15-somebody-else.png")
    _lit(dark, DARKER).save(folder / "photo-16-too-dark.png")


def _lit(picture: Image.Image, factor: float) -> Image.Image:
    """The picture with all its colours times the factor."""

    def times(value: int) -> int:
        return min(255, round(value * factor))

    return picture.point(times)


def _write_caption(path: Path, scene: world.Scene, wanted: bool) -> None:
    if wanted:
        path.write_text(world.caption(scene, f"{TRIGGER}, a {CLASS_NOUN}") + "\n", encoding="utf-8")


def write_clip(path: Path, frames: np.ndarray, fps: int = FPS) -> None:
    """Frames (F, H, W, 3) uint8 as H.264 in MP4; the same frames give the same file, so that a half-made project is filled without twins."""
    import av

    options = {"crf": "12", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for image in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode())


def _find(workspace: Workspace) -> Project | None:
    """The project that was made here before, under whatever name it has now; a person's own "demo" is another project."""
    for project in workspace.list_projects():
        facts = project.facts()
        if facts.demo_version is not None or facts.permission == PERMISSION:
            return project
    return None
