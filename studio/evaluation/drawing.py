"""Runs a sweep: waves of clips through the high-noise expert, one change, the low-noise expert, then video, scores and report.

What a stage drew is kept in the sweep's stages folder until its clip is written: a killed sweep continues with the next stage.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from studio.config import SweepConfig
from studio.data.cache import encode_condition
from studio.disk import file_sha256
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.clip_files import read_clip, write_clip, write_poster
from studio.evaluation.composition import compose_comparison
from studio.evaluation.diagnosis.checking import check_files
from studio.evaluation.drawing_memory import GB, how_to_keep
from studio.evaluation.first_pictures import find_first_picture
from studio.evaluation.judge.measuring import missing_scores, with_scores
from studio.evaluation.judge.watching import Watcher
from studio.evaluation.report import write_report
from studio.evaluation.stages import StageStore
from studio.evaluation.sweep_facts import DONE, FAILED, WAITING, Cell, Prompt, Sweep, SweepFacts, SweepReport
from studio.evaluation.sweep_plan import select_pairs
from studio.evaluation.sweeps import WAVE_CELLS
from studio.facts import read_facts, write_facts
from studio.models.catalogue import find_model
from studio.models.loading import dtype_of, load_expert, load_text_encoder, load_vae, pick_device, release
from studio.models.lora import apply_lora, remove_lora, set_strength
from studio.models.loras.reading import read_lora_file
from studio.models.render import Stopped, decode_frames, draw_stage, stage_steps, start_state, to_bytes
from studio.training.pairs import verify_file
from studio.workspace import Project, project_of

FACE_SIDE = 192  # px of the pictures of faces that are shown side by side
Report = Callable[..., None]  # (event, **its fields)


def run_sweep(config: SweepConfig, run_dir: Path, *, report: Report, should_stop: Callable[[], bool] = lambda: False) -> SweepReport:
    """Draw what is missing of the sweep that this config asks for (its pairs are in the run's config.json), then score and report.

    A stopped or killed sweep continues where it was.
    """
    asked = read_facts(SweepFacts, run_dir / "config.json")
    project = project_of(run_dir)
    folder = project.sweep_dir(str(asked.sweep)) if asked.probe else sweeps.open_sweep(project, config, asked.pairs)
    if asked.sweep != folder.name:
        write_facts(run_dir / "config.json", replace(asked, sweep=folder.name))
    check_files(project, folder, report)
    drawing = Drawing(project, folder, report, should_stop)
    before = drawing.sweep.count_states()[DONE]
    try:
        drawing.draw_all()
    except Stopped:
        report("note", message="Stopped; the clips drawn so far are kept, and the comparison continues where it was.")
    finally:
        drawing.prune()
    if drawing.watcher.trouble:
        report("note", message=f"Likeness was not measured: {drawing.watcher.trouble}.")
    sweeps.write_sweep(folder, drawing.sweep)
    counts = drawing.sweep.count_states()
    is_compared = not drawing.sweep.probe
    path = write_report(project, folder) if counts[DONE] and is_compared else None
    if not counts[WAITING] and is_compared:
        _compose(folder, drawing.sweep, report)
    return SweepReport(
        sweep=folder.name,
        rendered=counts[DONE] - before,
        reused=before,
        failed=counts[FAILED],
        total=len(drawing.sweep.cells),
        report=path.name if path else "",
        stopped=bool(counts[WAITING]),
    )


def _compose(folder: Path, sweep: Sweep, report: Report) -> None:
    """One side-by-side video a prompt, where it is missing or older than a clip in it."""
    total = len(sweep.cells)
    for index in sweeps.missing_comparisons(folder, sweep):
        report("progress", stage="Side-by-side videos", done=total, total=total, unit="clips", message=sweep.prompts[index].label)
        compose_comparison(folder, index)


class Drawing:
    """One pass over a sweep's missing cells; holds at most one model at a time. sweep: how far it is."""

    def __init__(self, project: Project, folder: Path, report: Report, should_stop: Callable[[], bool]) -> None:
        self.project, self.folder, self.report, self.should_stop = project, folder, report, should_stop
        self.sweep = sweeps.read_sweep(folder)
        self.settings = self.sweep.config
        self.base = find_model(self.sweep.base_model, project.workspace)
        if self.base.key != self.sweep.base_key:
            raise Problem(
                "The base model has changed since this comparison was planned.", fix="Start a new comparison.", action="new-sweep"
            )
        self.device = pick_device()
        self.dtype = dtype_of("bf16" if self.device.type == "cuda" else "fp32")
        self.store = StageStore(folder / "stages")
        self.watcher = Watcher(project, self.base)
        self.embeds: dict[str, torch.Tensor] = {}  # by prompt
        self.conditions: dict[str, torch.Tensor] = {}  # by the hash of a first picture
        self.num_steps = {e: stage_steps(self.base, self.settings, e) for e in self.base.experts}
        self.first_done = self.sweep.count_states()[DONE]
        self.steps_total, self.steps_done = sum(self.num_steps[e] * len(self._tasks(e, self.sweep.cells)) for e in self.base.experts), 0

    def _change(self, is_meant: Callable[[Cell], bool], **changes: Any) -> None:
        """Note something of those cells."""
        self.sweep = self.sweep.with_cells(lambda cell: replace(cell, **changes) if is_meant(cell) else cell)

    def _title(self, expert: str) -> str:
        words = self.base.preset.words_of(expert)
        return f"{words[0].upper()}{words[1:]} ({expert.replace('_', ' ')})" if len(self.base.experts) > 1 else "Drawing"

    def draw_all(self) -> None:
        """Every wave; then scores for what other sweeps drew, and for what was measured against other pictures of the person."""
        for wave in list(self._waves()):
            self._encode_prompts()
            self._encode_pictures()
            self._draw_wave(wave)
            self.prune()
        self._score({cell.key for cell in self.sweep.cells})

    def prune(self) -> None:
        """Drop the stages that no missing clip needs."""
        self.store.keep_only(key for cell in self.sweep.cells if cell.state == WAITING for key in (cell.high_key, cell.key))

    def _waves(self) -> Iterator[list[str]]:
        """Keys of missing cells, in rows of one prompt and seed; whole rows until a wave is full."""
        rows: dict[tuple[int, int], list[str]] = {}
        for key, cells in sweeps.cells_by_key(cell for cell in self.sweep.cells if not cell.is_done).items():
            rows.setdefault(cells[0].row, []).append(key)
        wave: list[str] = []
        for row in rows.values():
            wave += row
            if len(wave) >= WAVE_CELLS:
                yield wave
                wave = []
        if wave:
            yield wave

    def _stage_key(self, cell: Cell, expert: str) -> str:
        return cell.stage_key(expert, self.base.experts)

    def _tasks(self, expert: str, cells: Sequence[Cell]) -> list[Cell]:
        """One cell for every stage of this expert that is neither drawn nor behind a drawn one."""
        by_stage = {}
        for cell in cells:
            key = self._stage_key(cell, expert)
            if cell.state == WAITING and not self.store.has(key) and not self.store.has(cell.key):
                by_stage[key] = cell
        return list(by_stage.values())

    # -- what is given

    def _encode_prompts(self) -> None:
        """Encode every prompt once, before the first wave; the text encoder is gone when an expert comes."""
        if self.embeds:
            return
        texts = [self.sweep.text_of(cell) for cell in self.sweep.cells] + [self.settings.negative_prompt]
        self._progress("Reading the prompts", "")
        encoder = load_text_encoder(self.base, device=self.device, dtype=self.dtype)
        for text in dict.fromkeys(texts):
            self.embeds[text] = encoder.encode([text]).cpu()  # one at a time: a batch may differ in the last bit
        release(encoder)

    def _encode_pictures(self) -> None:
        """Encode every first picture once, where the base model draws from one, before the first wave."""
        if self.conditions or not self.base.first_picture:
            return
        self._progress("Reading the first pictures", "")
        size, vae = (self.settings.width, self.settings.height), load_vae(self.base, device=self.device)
        for picture in (prompt.first_picture for prompt in self.sweep.prompts if prompt.first_picture):
            if picture.sha256 not in self.conditions:
                item = find_first_picture(self.project, picture)
                condition = encode_condition(vae, item, size, self.settings.num_frames, self.base, picture.corner)
                self.conditions[picture.sha256] = condition.cpu()
        release(vae)

    def _condition_of(self, prompt: Prompt) -> torch.Tensor | None:
        return self.conditions[prompt.first_picture.sha256] if prompt.first_picture else None

    # -- stages

    def _draw_wave(self, wave: Sequence[str]) -> None:
        started, resumed = time.monotonic(), False
        for expert in self.base.experts:
            cells = self.sweep.cells_of(wave)
            tasks = self._tasks(expert, cells)
            resumed |= len(tasks) < len({self._stage_key(cell, expert) for cell in cells})
            self._draw_expert(expert, tasks)
        self._decode(wave)
        if not resumed:
            first_of_keys = {cell.place for cell in self.sweep.cells_of(wave)}
            seconds = round((time.monotonic() - started) / len(wave), 2)
            self._change(lambda cell: cell.place in first_of_keys, seconds=seconds)
        self._score(wave)
        sweeps.write_sweep(self.folder, self.sweep)

    def _draw_expert(self, expert: str, tasks: Sequence[Cell]) -> None:
        """All tasks of one expert, with the base's first and then pair by pair, so that each LoRA is read once."""
        if not tasks:
            return
        self._progress(f"Loading the expert: {self._title(expert)}", "")
        precision, swapped = self._how_to_keep()
        model = load_expert(self.base, expert, dtype=self.dtype, device=self.device, blocks_swapped=swapped, precision=precision)
        if changed := model.storage.describe():
            self.report("note", message=changed)
        groups: dict[str, list[Cell]] = {}
        for cell in tasks:
            groups.setdefault(self._lora_sha(cell, expert), []).append(cell)
        try:
            for sha in sorted(groups):
                self._draw_group(model, expert, sha, sorted(groups[sha], key=lambda cell: cell.strength))
        finally:
            release(model)

    def _how_to_keep(self) -> tuple[str, int]:
        """(number format, blocks in RAM): as set, or more of them where the free GPU memory asks for it."""
        if self.device.type != "cuda":
            return "fp32", self.settings.blocks_swapped
        free, total = torch.cuda.mem_get_info(self.device)[0] / GB, psutil.virtual_memory().total / GB
        precision, swapped = how_to_keep(self.base, self.settings, free, total)
        return precision, max(self.settings.blocks_swapped, swapped)

    def _draw_group(self, model: torch.nn.Module, expert: str, sha: str, cells: Sequence[Cell]) -> None:
        if sha:
            try:
                state = self._read_lora(str(cells[0].pair), expert, sha)
            except (ValueError, OSError) as e:
                self._fail(expert, cells, str(e))
                return
            apply_lora(model, state, cells[0].strength)
        try:
            for cell in cells:
                if sha:
                    set_strength(model, cell.strength)
                self._draw_cell(model, expert, cell)
        finally:
            if sha:
                remove_lora(model)

    def _draw_cell(self, model: torch.nn.Module, expert: str, cell: Cell) -> None:
        prompt = self.sweep.prompt_of(cell)
        who = f"{cell.pair} at {cell.strength:g}" if cell.pair else "base"

        def on_step() -> None:
            self.steps_done += 1
            self._progress(self._title(expert), f"{prompt.label}, {who}")

        first, last = expert == self.base.experts[0], expert == self.base.experts[-1]
        if first:
            state = start_state(self.base, self.settings, cell.seed, self._condition_of(prompt))
        else:
            state = self.store.load(cell.high_key)
        state = draw_stage(
            model,
            self.base,
            self.settings,
            expert,
            state,
            self.embeds[self.sweep.text_of(cell)],
            self.embeds[self.settings.negative_prompt],
            device=self.device,
            should_stop=self.should_stop,
            on_step=on_step,
        )
        if not torch.isfinite(state["latents"]).all():
            self._fail(expert, [cell], f"the drawing came out as no picture (NaN) in the stage {self._title(expert)}; try a lower strength")
            return
        self.store.save(self._stage_key(cell, expert), {"latents": state["latents"]} if last else state)

    def _lora_sha(self, cell: Cell, expert: str) -> str:
        if not cell.pair or not cell.strength:
            return ""
        return self.sweep.find_pair(cell.pair).sha_of(expert)

    def _read_lora(self, pair_id: str, expert: str, sha: str) -> dict[str, torch.Tensor]:
        (pair,) = select_pairs(self.project, [self.sweep.find_pair(pair_id).of or pair_id])
        known = {saved.sha256: of for of, saved in pair.manifest.experts.items()}
        own = expert if pair.manifest.experts[expert].sha256 == sha else known.get(sha, expert)  # another expert's where they are exchanged
        verify_file(pair, own)  # a damaged one: a new comparison would fail with it too
        if pair.manifest.experts[own].sha256 != sha:
            raise ValueError(f"{pair_id} was trained anew since this comparison was planned; start a new comparison")
        return read_lora_file(pair.files[own])[0]

    def _fail(self, expert: str, cells: Sequence[Cell], message: str) -> None:
        """Give up the clips that need these stages, with a sentence; the rest goes on."""
        keys = {self._stage_key(cell, expert) for cell in cells}
        self._change(lambda cell: cell.state == WAITING and self._stage_key(cell, expert) in keys, state=FAILED, error=message)
        self.report("note", message=f"{cells[0].pair or 'base'}: {message}")

    # -- video and scores

    def _decode(self, wave: Sequence[str]) -> None:
        ready = [cell for cell in self.sweep.cells_of(wave) if cell.state == WAITING and self.store.has(cell.key)]
        if not ready:
            return
        vae = load_vae(self.base, device=self.device)
        try:
            for cell in ready:
                if self.should_stop():
                    raise Stopped
                self._write_clip(cell, to_bytes(decode_frames(vae, self.store.load(cell.key)["latents"], self.device)))
                self._progress("Writing clips", "")
        finally:
            release(vae)
            sweeps.write_sweep(self.folder, self.sweep)

    def _write_clip(self, cell: Cell, frames: np.ndarray) -> None:
        """The files of a clip; every cell of the same key has them now."""
        write_clip(self.folder / cell.clip, frames, self.base.fps)
        write_poster(self.folder / cell.poster, frames)
        sha256 = file_sha256(self.folder / cell.clip)
        self._change(lambda same: same.key == cell.key, state=DONE, error="", clip_sha256=sha256)

    def _score(self, keys: Collection[str]) -> None:
        """Measure clips from the files that are shown, and compare them with the base's of the same prompt and seed."""
        rows: dict[tuple[int, int], list[Cell]] = {}
        for cell in self.sweep.cells:
            if cell.key in keys and missing_scores(cell, self.watcher.keys):
                rows.setdefault(cell.row, []).append(cell)
        for (prompt, seed), row in rows.items():
            base = self.sweep.find_cell(None, prompt, seed, 0.0)
            if base and base.is_done:
                self._progress("Measuring", self.sweep.prompts[prompt].label)
                self._score_row(self.sweep.prompts[prompt], base, row)

    def _score_row(self, prompt: Prompt, base: Cell, row: Sequence[Cell]) -> None:
        base_look, measured = self.watcher.look(read_clip(self.folder / base.clip), prompt), {}
        for cell in row:
            look = base_look if cell.pair is None else self.watcher.look(read_clip(self.folder / cell.clip), prompt, base_look)
            measured[cell.place] = with_scores(cell, look, self.watcher.keys)
            is_looked_at = any(score.needs.is_eye for score in missing_scores(cell, self.watcher.keys))
            if is_looked_at and look.face is not None:
                write_poster(self.folder / cell.face, look.face[None], FACE_SIDE)
        self.sweep = self.sweep.with_cells(lambda cell: measured.get(cell.place, cell))

    def _progress(self, stage: str, message: str) -> None:
        total = len(self.sweep.cells)
        share = self.steps_done / self.steps_total if self.steps_total else 1.0
        done = round(self.first_done + share * (total - self.first_done), 1)
        self.report("progress", stage=stage, done=done, total=total, unit="clips", message=message)
