"""Teaches the tiny captioner to see and to tell: first its eyes, with a head that is thrown away, then the whole of it, with answers as asked."""

from __future__ import annotations

import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.Image import Resampling

from studio.config import CaptionConfig, list_presets, load_preset
from studio.data.captions.writing.answer import read_answer
from studio.data.captions.writing.instructions import bounds, instruction
from studio.data.media.clips import probe_clip, read_frames
from studio.models.captioners.families.vision_language import VisionLanguageModel
from studio.models.captioners.families.vision_language import load as load_captioner
from studio.models.captioners.family import Captioner
from studio.tiny import world
from studio.tiny.demo_project import write_clip
from studio.tiny.pixel_drawing import PHOTO_MOMENT, draw_cells, draw_clip, draw_photo
from studio.tiny.stage import muon_and_adamw, run_stage
from studio.tiny.words.captioner import NUM_FRAMES, SHAPE, TEMPORAL_PATCH, build_untaught_captioner
from studio.training.step.randomness import seed_of

# Views of people who walk or nod are the last to be learned: they are somewhere else in every frame.
MOVING = ("walking left", "walking right", "nodding")
SEE = {"steps": 2000, "learning_rate": 3e-3, "photos": 28, "clips": 24}  # of a step
FOLLOW = {"steps": 4000, "learning_rate": 2e-3, "photos": 8, "clips": 36, "often": MOVING}
TELL = {"steps": 2000, "learning_rate": 2e-3, "photos": 8, "clips": 18, "often": MOVING}
STAGES = {"see": SEE, "follow": FOLLOW, "tell": TELL}
AVERAGE = 0.995
CLIP_FRAMES = (9, 17, 33, 49)
SECONDS = (0.5, 3.2)
FILE_SCALE = 4  # of a drawing, in the files that are measured
DRAWN_SIDE = 80  # pixels of a picture as it is drawn; files may be larger
NAMED: dict[str, tuple[str | bool, ...]] = {
    "shirt": tuple(world.SHIRT),
    "glasses": (False, True),
    "view": tuple(world.VIEW),
    "framing": tuple(world.FRAMING),
    "place": tuple(world.PLACE),
    "light": tuple(world.LIGHT),
}


def build_captioner(
    folder: Path,
    work_dir: Path,
    seed: int = 0,
    report: Callable[[str], None] = print,
    stages: Mapping[str, dict[str, Any]] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Write the trained captioner into `folder`; what was trained before in `work_dir` is gone on with. Returns the folder, None if stopped."""
    work_dir = Path(work_dir)
    blank = build_untaught_captioner(work_dir / "untaught", seed=seed)
    captioner = load_captioner(blank)
    lessons = Lessons(captioner, Head(captioner.model.config.text_config.hidden_size, seed), seed)
    eyes = {"visual": captioner.model.model.visual, "head": lessons.head}
    whole = {"model": captioner.model}
    before = {}
    for name, how in (stages or STAGES).items():
        modules = whole if name == "tell" else eyes
        plan = json.loads(json.dumps({"name": f"captioner, {name}", "seed": seed, "average": AVERAGE, "model": SHAPE, **how, **before}))
        optimizers = muon_and_adamw(modules, learning_rate=how["learning_rate"])
        train_step = lessons.train_step(name, how)
        if not run_stage(work_dir / name, plan, modules, optimizers, train_step, average=AVERAGE, report=report, should_stop=should_stop):
            return None
        before = {"after": plan}
    folder = shutil.copytree(blank, folder, dirs_exist_ok=True)
    captioner.model.save_pretrained(folder)
    return Path(folder)


# -- what is asked and answered


def answer_for(scene: world.Scene, style: str) -> str:
    """What the captioner should answer: clothes, view, framing and motion of the person; place and light of the scene. Brief leaves out the view."""
    phrases = world.scene_phrases(scene)
    person = [phrases[what] for what in ("clothes", "view", "framing", "motion") if what in phrases and (style, what) != ("brief", "view")]
    return f"PERSON: {', '.join(person)}\nSCENE: {phrases['place']}, {phrases['light']}"


def draw_scene(rng: random.Random, kind: str, held_out: bool = False, often: Sequence[str] = ()) -> world.Scene:
    """often: motions that every second clip has one of."""
    if kind == "photo":
        return world.draw_scene(rng, motion="", held_out=held_out)
    motion = rng.choice(often) if often and rng.random() < 0.5 else None
    return world.draw_scene(rng, motion=motion, held_out=held_out)


def draw_item(rng: random.Random, kind: str, often: Sequence[str] = ()) -> tuple[world.Scene, list[Image.Image]]:
    """(scene, PIL pictures) of a photo or a clip, worn a little as imported files are."""
    identity, scene = world.draw_identity(rng), draw_scene(rng, kind, often=often)
    wear = Wear(rng)
    if kind == "photo":
        return scene, [wear(draw_cells(identity, scene, PHOTO_MOMENT))]
    return scene, [wear(draw_cells(identity, scene, u)) for u in _draw_moments(rng)]


def _draw_moments(rng: random.Random) -> list[float]:
    """NUM_FRAMES moments (0-1) at which a clip is looked at: evenly spread, and begun a little early or late.

    Always begun at the start, a walker stands in the middle in the same frame of every clip: the view was then read off that frame alone, and files of another length or rounding were misread.
    """
    count, start = rng.choice(CLIP_FRAMES), rng.uniform(-0.5, 0.5)
    return [min(max(round((k + start) * count / NUM_FRAMES), 0), count - 1) / (count - 1) for k in range(NUM_FRAMES)]


class Wear:
    """What happens to a picture between its drawing and its reading: another size, a cut edge, JPEG, noise, a change of brightness."""

    def __init__(self, rng: random.Random) -> None:
        self.side = DRAWN_SIDE * rng.choice((1, 1, 1, 2, 4)) if rng.random() < 0.8 else rng.randint(DRAWN_SIDE, 4 * DRAWN_SIDE)
        self.filter = (
            rng.choice((Resampling.NEAREST, Resampling.BILINEAR, Resampling.BICUBIC)) if self.side % DRAWN_SIDE else Resampling.NEAREST
        )
        self.cut = [rng.uniform(0, 0.4) for _ in range(4)] if rng.random() < 0.3 else [0.0] * 4
        self.quality = rng.randint(60, 95) if rng.random() < 0.3 else None
        self.noise = rng.uniform(1, 5) if rng.random() < 0.3 else 0.0
        self.gain = rng.uniform(0.93, 1.04) if rng.random() < 0.5 else 1.0
        self.random = np.random.default_rng(rng.getrandbits(32))

    def __call__(self, cells: np.ndarray) -> Image.Image:
        """cells: (20, 20, 3) uint8 -> a PIL picture."""
        height, width = cells.shape[:2]
        if self.noise or self.gain != 1:
            noise = self.random.normal(0, self.noise, cells.shape) if self.noise else 0
            cells = np.clip(cells * self.gain + noise, 0, 255).astype(np.uint8)
        left, top, right, bottom = self.cut
        box = (left, top, width - right, height - bottom)
        picture = Image.fromarray(cells).resize((self.side, self.side), self.filter, box=box)
        if self.quality is None:
            return picture
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=self.quality)
        return Image.open(data).convert("RGB")


# -- the lessons


class Head(torch.nn.Module):
    """Reads what is named off the tokens of a picture or of a clip, linearly; it only serves to teach the eyes."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.named = torch.nn.Linear(width, sum(map(len, NAMED.values())))
            self.motion = torch.nn.Linear(width * NUM_FRAMES // TEMPORAL_PATCH, len(world.MOTION))

    def loss(self, tokens: torch.Tensor, scenes: Sequence[world.Scene]) -> torch.Tensor:
        """tokens: (B, 1 for photos or one for each frame of a clip, width)."""
        every = self.named(tokens.mean(1)).split([len(choices) for choices in NAMED.values()], 1)
        lost = [_miss(logits, scenes, what, choices) for logits, (what, choices) in zip(every, NAMED.items())]
        if tokens.shape[1] > 1:
            lost.append(_miss(self.motion(tokens.flatten(1)), scenes, "motion", world.MOTION))
        return sum(lost[1:], lost[0])


def _miss(logits: torch.Tensor, scenes: Sequence[world.Scene], what: str, choices: Sequence[str | bool]) -> torch.Tensor:
    unsaid = [what == "view" and scene.motion.startswith("turning") for scene in scenes]
    targets = [-100 if skip else choices.index(getattr(scene, what)) for scene, skip in zip(scenes, unsaid)]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="sum") / len(scenes)


class Lessons:
    """The losses of a step, drawn from the step's number alone."""

    def __init__(self, captioner: VisionLanguageModel, head: Head, seed: int) -> None:
        self.captioner, self.head, self.seed = captioner, head, seed
        self.styles = {name: load_preset("captions", name) for name in list_presets("captions")}

    def train_step(self, stage: str, how: dict[str, Any]) -> Callable[[int], torch.Tensor]:
        """A function from a step's number to its loss."""
        lesson = self.tell if stage == "tell" else self.see

        def train(step: int) -> torch.Tensor:
            loss = 0.0
            for kind, count in (("photo", how["photos"]), ("clip", how["clips"])):
                rng = random.Random(seed_of(f"captioner {stage}s", self.seed, step, kind))
                loss = loss + lesson(rng, kind, *self.draw(rng, kind, count, how.get("often", ())))
            return loss / 2

        return train

    def draw(
        self, rng: random.Random, kind: str, count: int, often: Sequence[str] = ()
    ) -> tuple[list[world.Scene], list[list[Image.Image]]]:
        """([scene, ...], [pictures, ...])"""
        items = [draw_item(rng, kind, often) for _ in range(count)]
        return [scene for scene, _ in items], [pictures for _, pictures in items]

    def see(self, rng: random.Random, kind: str, scenes: Sequence[world.Scene], pictures: Sequence[Sequence[Image.Image]]) -> torch.Tensor:
        """The vision tower alone: what is seen, told by a linear head."""
        pixels, grid = self.media(pictures, kind).values()
        tokens = self.captioner.model.model.visual(pixels, grid_thw=grid).pooler_output
        return self.head.loss(tokens.view(len(scenes), -1, tokens.shape[-1]), scenes)

    def tell(self, rng: random.Random, kind: str, scenes: Sequence[world.Scene], pictures: Sequence[Sequence[Image.Image]]) -> torch.Tensor:
        """The whole model: answers to the instruction of a style."""
        style, fps = rng.choice(list(self.styles)), NUM_FRAMES / rng.uniform(*SECONDS) if kind == "clip" else 0.0
        prompt = self.captioner.prepare(pictures[0], fps, instruction(self.styles[style], kind))
        prompt = {key: prompt[key].expand(len(scenes), -1) for key in ("input_ids", "mm_token_type_ids")}
        return self._answer_loss(prompt, self.media(pictures, kind), [answer_for(scene, style) for scene in scenes])

    def media(self, pictures: Sequence[Sequence[Image.Image]], kind: str) -> dict[str, torch.Tensor]:
        """{pixels, grid}: what `VisionLanguageModel.prepare` gives for each, all at once."""
        processor = self.captioner.processor
        if kind == "photo":
            return dict(processor.image_processor(images=[p for (p,) in pictures], return_tensors="pt"))
        clips = [np.stack([np.asarray(p) for p in frames]) for frames in pictures]
        found = processor.video_processor(videos=clips, do_sample_frames=False, return_tensors="pt")
        return {key: found[key] for key in ("pixel_values_videos", "video_grid_thw")}

    def _answer_loss(self, prompt: dict[str, torch.Tensor], media: dict[str, torch.Tensor], answers: list[str]) -> torch.Tensor:
        model, tokenizer = self.captioner.model, self.captioner.processor.tokenizer
        answer = tokenizer([a + "<|im_end|>" for a in answers], padding=True, padding_side="right", return_tensors="pt")
        ids = torch.cat([prompt["input_ids"], answer.input_ids], 1)
        types = torch.cat([prompt["mm_token_type_ids"], torch.zeros_like(answer.input_ids)], 1)
        hidden = model.model(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=types, **media).last_hidden_state
        logits = model.lm_head(hidden[:, prompt["input_ids"].shape[1] - 1 : -1])
        targets = answer.input_ids.masked_fill(answer.attention_mask == 0, -100)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


# -- how much of it is right


def measure_captioner(folder: Path, seed: int = 1, photos: int = 160, clips: int = 120, style: str = "standard") -> dict[str, float]:
    """{"photos, view": share that is right, ...} of what the captioner says of people and scenes that it never saw, photos of 320 px and H.264 clips."""
    captioner = load_captioner(folder)
    rng, right = random.Random(seed_of("captioner is measured", seed)), {}
    for kind, count in (("photo", photos), ("clip", clips)):
        for i in range(count):
            identity, scene = world.draw_identity(rng, held_out=True), draw_scene(rng, kind, held_out=True)
            said = _caption(captioner, style, kind, *_read_file(identity, scene, kind, CLIP_FRAMES[i % 2 * 2]))
            for what, is_right in _compare(said, scene, style).items():
                right.setdefault(f"{kind}s, {what}", []).append(is_right)
    return {what: sum(each) / len(each) for what, each in right.items()}


def _read_file(identity: world.Identity, scene: world.Scene, kind: str, num_frames: int) -> tuple[list[Image.Image], float]:
    """(pictures, frames a second) as `studio.data.captions.writing.writer` reads them off a file of the demo's project."""
    if kind == "photo":
        return [draw_photo(identity, scene, FILE_SCALE)], 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(path, draw_clip(identity, scene, num_frames, FILE_SCALE))
        fps = NUM_FRAMES / probe_clip(path).seconds
        return [Image.fromarray(frame) for frame in read_frames(path, NUM_FRAMES, fps)], fps


def _caption(captioner: Captioner, style: str, kind: str, pictures: list[Image.Image], fps: float) -> list[str]:
    """The phrases of the caption."""
    preset = load_preset("captions", style)
    question = instruction(preset, kind)
    text, complete = captioner.answer(pictures, fps, question, CaptionConfig().max_new_tokens)
    answer = read_answer(text, trigger="ohwx", instruction=question, complete=complete, **bounds(preset))
    return f"{answer.person}, {answer.scene}".split(", ")


def _compare(said: list[str], scene: world.Scene, style: str) -> dict[str, bool]:
    """{what: whether it is said, and nothing else of its kind}."""
    expected = world.scene_phrases(scene)
    if style == "brief":
        expected.pop("view", None)
    clothes = next((phrase for phrase in said if phrase.startswith("wearing")), "")
    result = {"shirt": f"{scene.shirt} shirt" in clothes, "glasses": clothes.endswith("and glasses") == scene.glasses}
    result |= {what: phrase in said for what, phrase in expected.items() if what != "clothes"}
    return result | {"nothing else": len(said) <= len(expected)}
