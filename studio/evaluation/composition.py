"""Side-by-side comparison clips with titles, for sharing a finding: base and pairs of one prompt in one video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from studio.disk import replace
from studio.evaluation.clip_files import METADATA, read_clip
from studio.evaluation.report import column_title
from studio.evaluation.sweeps import comparison_file, read_sweep

if TYPE_CHECKING:
    from moviepy import VideoClip

MAX_COLUMNS = 4  # more wrap into the next row
MIN_CLIP_WIDTH = 192  # smaller clips are enlarged by whole steps, so that a title can be read
GAP = 4
BACKGROUND, INK = (24, 25, 27), (236, 236, 234)


def compose_comparison(sweep_dir: Path, prompt_index: int, *, seed: int | None = None, strength: float | None = None) -> Path:
    """Write sweeps/<sweep>/comparisons/<prompt>-<seed>.mp4: base and every pair (at one strength if given) playing together.

    Returns its path. ValueError if the prompt does not exist or nothing of it is drawn yet.
    """
    sweep = read_sweep(sweep_dir)
    if not 0 <= prompt_index < len(sweep.prompts):
        raise ValueError(f"there is no prompt {prompt_index}; this comparison has {len(sweep.prompts)}, counted from 0")
    seed = sweep.config.seeds[0] if seed is None else seed
    columns = [(p, s) for p, s in sweep.columns if p is None or strength in (None, s)]
    cells = [sweep.find_cell(pair, prompt_index, seed, s) for pair, s in columns]
    shown = [(column_title(sweep, cell.pair, cell.strength), sweep_dir / cell.clip) for cell in cells if cell and cell.is_done]
    if not shown:
        raise ValueError("no clip of this prompt is drawn yet; run the comparison first")
    path = comparison_file(sweep_dir, prompt_index, seed, strength)
    _write(path, shown, sweep.prompts[prompt_index].label, sweep.fps)
    return path


def _write(path: Path, shown: list[tuple[str, Path]], label: str, fps: int) -> None:
    from moviepy import CompositeVideoClip, ImageClip, clips_array

    path.parent.mkdir(parents=True, exist_ok=True)
    videos = [read_clip(file) for _, file in shown]
    seconds = (len(videos[0]) + 0.01) / fps  # a hair more than the frames, so that rounding loses none
    tiles = [_tile(frames, title, fps, seconds) for frames, (title, _) in zip(videos, shown, strict=True)]
    columns = min(MAX_COLUMNS, len(tiles))
    empty = ImageClip(np.full((tiles[0].h, tiles[0].w, 3), BACKGROUND, np.uint8), duration=seconds)
    tiles += [empty] * (-len(tiles) % columns)
    grid = clips_array([tiles[i : i + columns] for i in range(0, len(tiles), columns)])
    head = ImageClip(_text(label, grid.w, 40, 22), duration=seconds)
    _save(CompositeVideoClip([head, grid.with_position((0, head.h))], size=(grid.w, grid.h + head.h)), path, fps)


def _tile(frames: np.ndarray, title: str, fps: int, seconds: float) -> VideoClip:
    """A clip, enlarged by whole pixels, under its title."""
    from moviepy import CompositeVideoClip, ImageClip, ImageSequenceClip

    zoom = max(1, -(-MIN_CLIP_WIDTH // frames.shape[2]))
    video = ImageSequenceClip(list(frames.repeat(zoom, axis=1).repeat(zoom, axis=2)), fps=fps).with_duration(seconds)
    width, height = video.w + GAP, video.h + GAP
    head = ImageClip(_text(title, width, 32, 16), duration=seconds)
    return CompositeVideoClip([head, video.with_position((0, head.h))], size=(width, height + head.h), bg_color=BACKGROUND)


def _text(text: str, width: int, height: int, size: int) -> np.ndarray:
    """A title as pixels, in the font that comes with pillow; cut with dots where it is too long. Width and height even."""
    image = Image.new("RGB", (width + width % 2, height), BACKGROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    cut = text
    while cut and draw.textlength(cut if cut == text else cut + "...", font=font) > width - 8:
        cut = cut[:-1]
    draw.text((4, height // 2), cut if cut == text else cut + "...", fill=INK, font=font, anchor="lm")
    return np.asarray(image)


def _save(clip: VideoClip, path: Path, fps: int) -> None:
    temporary = path.with_name(f".{path.stem}.tmp.mp4")
    marks = [word for key, value in METADATA.items() for word in ("-metadata", f"{key}={value}")]
    try:
        clip.write_videofile(
            str(temporary),
            fps=fps,
            codec="libx264",
            audio=False,
            preset="medium",
            threads=1,
            ffmpeg_params=["-crf", "17", "-pix_fmt", "yuv420p", "-movflags", "+faststart", *marks],
            logger=None,
        )
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
