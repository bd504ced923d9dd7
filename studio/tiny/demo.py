"""The ready project "Demo": drawn photos and clips of one drawn person, imported as a person's own would be. Torch-free."""

import random
import tempfile
from pathlib import Path

from studio.data.importer import import_media
from studio.tiny import world
from studio.workspace import locked

NAME, SLUG, TRIGGER, CLASS_NOUN = "Demo", "demo", "ohwx", "person"
PERSON = world.Identity(hair="red", skin="tan", style="long", size=1.1, mark=(0.45, 0.45))
NUM_PHOTOS, NUM_CLIPS = 12, 2
SCALE = 4  # 64 px drawings as 256 px pictures with hard edges
FPS, CLIP_FRAMES = 16, 33
PERMISSION = {"granted": True, "statement": "The people of this project are drawn by the studio; they are nobody's likeness."}
MARKER = "demo_version"  # in project.json: how far this project was filled
VERSION = 1


def ensure_demo_project(workspace):
    """The project "Demo", made and filled if it is not there. What somebody did to it since, removed pictures included, stays as it is."""
    with locked(workspace.projects_dir / SLUG):
        project = _find(workspace) or workspace.create_project(
            NAME, trigger=TRIGGER, class_noun=CLASS_NOUN, base_model="tiny", permission=PERMISSION
        )
        if MARKER not in project.read():
            with tempfile.TemporaryDirectory() as folder:
                draw_media(Path(folder))
                import_media(project, [Path(folder)])
            project.update(**{MARKER: VERSION})
    if not was_made(workspace):
        workspace.update(demo_created=True)
    return project


def was_made(workspace):
    """Whether this workspace has, or once had, its project "Demo": somebody who deleted it does not want it back."""
    return bool(workspace.read().get("demo_created"))


def draw_media(folder, seed=0):
    """Write the person's photos and clips with their captions: every scene, shirt and view differs, the motion too."""
    rng = random.Random(seed)
    subject = f"{TRIGGER}, a {CLASS_NOUN}"
    shirts, places = (rng.sample(list(choices), len(choices)) for choices in (world.SHIRT, world.PLACE))
    views = list(world.VIEW)
    for i in range(NUM_PHOTOS + NUM_CLIPS):
        is_clip = i >= NUM_PHOTOS
        scene = world.Scene(
            shirt=shirts[i % len(shirts)],
            place=places[(i * 3 + i // len(places)) % len(places)],
            view=views[i % len(views)],
            motion=world.MOTION[1 + (i - NUM_PHOTOS) % 3] if is_clip else "standing still",
            glasses=i % 5 == 4,
        )
        name = f"clip-{i - NUM_PHOTOS + 1:02d}" if is_clip else f"photo-{i + 1:02d}"
        if is_clip:
            write_clip(folder / f"{name}.mp4", world.draw_clip(PERSON, scene, CLIP_FRAMES, SCALE))
        else:
            world.draw_photo(PERSON, scene, SCALE).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(world.caption(scene, subject) + "\n", encoding="utf-8")


def write_clip(path, frames, fps=FPS):
    """Frames (F, H, W, 3) uint8 as H.264 in MP4."""
    import av

    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for image in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode())


def _find(workspace):
    """The project that was made here before, under whatever name it has now; a person's own "demo" is another project."""
    for project in workspace.list_projects():
        data = project.read()
        if MARKER in data or data.get("permission") == PERMISSION:
            return project
    return None
