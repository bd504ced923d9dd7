"""Runs a sweep: waves of clips through the high-noise expert, one change, the low-noise expert, then video, scores and report.

What a stage drew is kept in the sweep's stages folder until its clip is written: a killed sweep continues with the next stage.
"""

import time

import psutil
import torch

from studio.data.cache import encode_condition
from studio.disk import file_sha256
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.clip_files import read_clip, write_clip, write_poster
from studio.evaluation.composition import compose_comparison
from studio.evaluation.drawing_memory import GB, how_to_keep
from studio.evaluation.first_pictures import find_first_picture
from studio.evaluation.judge.references import needs_scores
from studio.evaluation.judge.scores import compare
from studio.evaluation.judge.watching import Watcher
from studio.evaluation.report import write_report
from studio.evaluation.stages import StageStore
from studio.evaluation.sweeps import SHA_KEYS, STAGE_KEYS, WAVE_CELLS
from studio.models.catalogue import find_model
from studio.models.loading import dtype_of, load_expert, load_text_encoder, load_vae, pick_device, release
from studio.models.lora import apply_lora, read_lora_file, remove_lora, set_strength
from studio.models.render import Stopped, decode_frames, draw_stage, stage_steps, start_state, to_bytes
from studio.training.pairs import find_pair
from studio.workspace import project_of, read_json, write_json


def run_sweep(config, run_dir, *, report, should_stop=lambda: False):
    """Draw what is missing of the sweep that this config asks for (its pairs are in the run's config.json), then score and report.

    Returns {"sweep", "rendered", "reused", "failed", "total", "report", "stopped"}; a stopped or killed sweep continues where it was.
    """
    job = read_json(run_dir / "config.json")
    project = project_of(run_dir)
    folder = sweeps.open_sweep(project, config, job.get("pairs"))
    if job.get("sweep") != folder.name:
        write_json(run_dir / "config.json", job | {"sweep": folder.name})
    drawing = Drawing(project, folder, report, should_stop)
    before = sweeps.count_states(drawing.sweep)["done"]
    try:
        drawing.draw_all()
    except Stopped:
        report("note", message="Stopped; the clips drawn so far are kept, and the comparison continues where it was.")
    finally:
        drawing.prune()
    if drawing.watcher.trouble:
        report("note", message=f"Likeness was not measured: {drawing.watcher.trouble}.")
    sweeps.write_sweep(folder, drawing.sweep)
    counts = sweeps.count_states(drawing.sweep)
    path = write_report(project, folder) if counts["done"] else None
    if not counts["waiting"]:
        _compose(folder, drawing.sweep, report)
    return {
        "sweep": folder.name,
        "rendered": counts["done"] - before,
        "reused": before,
        "failed": counts["failed"],
        "total": len(drawing.sweep["cells"]),
        "report": path.name if path else "",
        "stopped": bool(counts["waiting"]),
    }


def _compose(folder, sweep, report):
    """One side-by-side video a prompt, where it is missing or older than a clip in it."""
    for index, prompt in enumerate(sweep["prompts"]):
        clips = [folder / c["clip"] for c in sweep["cells"] if c["prompt"] == index and c["state"] == "done"]
        video = sweeps.comparison_file(folder, index, sweep["settings"]["seeds"][0])
        if clips and not (video.is_file() and video.stat().st_mtime >= max(c.stat().st_mtime for c in clips)):
            total = len(sweep["cells"])
            report("progress", stage="Side-by-side videos", done=total, total=total, unit="clips", message=prompt["label"])
            compose_comparison(folder, index)


class Drawing:
    """One pass over a sweep's missing cells; holds at most one model at a time."""

    def __init__(self, project, folder, report, should_stop):
        self.project, self.folder, self.report, self.should_stop = project, folder, report, should_stop
        self.sweep = sweeps.read_sweep(folder)
        self.settings = sweeps.settings_of(self.sweep)
        self.base = find_model(self.sweep["base_model"], project.workspace)
        if self.base.key != self.sweep["base_key"]:
            raise Problem(
                "The base model has changed since this comparison was planned.", fix="Start a new comparison.", action="new-sweep"
            )
        self.device = pick_device()
        self.dtype = dtype_of("bf16" if self.device.type == "cuda" else "fp32")
        self.store = StageStore(folder / "stages")
        self.watcher = Watcher(project, self.base)
        self.embeds, self.conditions = {}, {}  # by prompt; by the hash of a first picture
        self.num_steps = {e: stage_steps(self.base, self.settings, e) for e in self.base.experts}
        self.first_done = sweeps.count_states(self.sweep)["done"]
        self.steps_total, self.steps_done = sum(self.num_steps[e] * len(self._tasks(e, self.sweep["cells"])) for e in self.base.experts), 0

    def _title(self, expert):
        words = self.base.preset.words_of(expert)
        return f"{words[0].upper()}{words[1:]} ({expert.replace('_', ' ')})" if len(self.base.experts) > 1 else "Drawing"

    def draw_all(self):
        """Every wave; then scores for what other sweeps drew, and for what was measured against other pictures of the person."""
        for wave in list(self._waves()):
            self._encode_prompts()
            self._encode_pictures()
            self._draw_wave(wave)
            self.prune()
        self._score(self.sweep["cells"])

    def prune(self):
        """Drop the stages that no missing clip needs."""
        self.store.keep_only(key for c in self.sweep["cells"] if c["state"] == "waiting" for key in (c["high_key"], c["key"]))

    def _waves(self):
        """Missing cells, one of each key, in rows of one prompt and seed; whole rows until a wave is full."""
        rows = {}
        for cells in sweeps.cells_by_key(c for c in self.sweep["cells"] if c["state"] != "done").values():
            rows.setdefault((cells[0]["prompt"], cells[0]["seed"]), []).append(cells[0])
        wave = []
        for row in rows.values():
            wave += row
            if len(wave) >= WAVE_CELLS:
                yield wave
                wave = []
        if wave:
            yield wave

    def _tasks(self, expert, cells):
        """One cell for every stage of this expert that is neither drawn nor behind a drawn one."""
        name = STAGE_KEYS[expert]
        waiting = (c for c in cells if c["state"] == "waiting" and not self.store.has(c[name]) and not self.store.has(c["key"]))
        return list({c[name]: c for c in waiting}.values())

    # -- what is given

    def _encode_prompts(self):
        """Encode every prompt once, before the first wave; the text encoder is gone when an expert comes."""
        if self.embeds:
            return
        texts = [p["text"] for p in self.sweep["prompts"]] + [self.settings.negative_prompt]
        self._progress("Reading the prompts", "")
        encoder = load_text_encoder(self.base, device=self.device, dtype=self.dtype)
        for text in dict.fromkeys(texts):
            self.embeds[text] = encoder.encode([text]).cpu()  # one at a time: a batch may differ in the last bit
        release(encoder)

    def _encode_pictures(self):
        """Encode every first picture once, where the base model draws from one, before the first wave."""
        if self.conditions or not self.base.first_picture:
            return
        self._progress("Reading the first pictures", "")
        size, vae = (self.settings.width, self.settings.height), load_vae(self.base, device=self.device)
        for prompt in self.sweep["prompts"]:
            picture = prompt["first_picture"]
            if picture["sha256"] not in self.conditions:
                item = find_first_picture(self.project, picture)
                self.conditions[picture["sha256"]] = encode_condition(vae, item, size, self.settings.num_frames, self.base).cpu()
        release(vae)

    # -- stages

    def _draw_wave(self, wave):
        started, resumed = time.monotonic(), False
        for expert in self.base.experts:
            tasks = self._tasks(expert, wave)
            resumed |= len(tasks) < len({c[STAGE_KEYS[expert]] for c in wave})
            self._draw_expert(expert, tasks)
        self._decode(wave)
        if not resumed:
            for cell in wave:
                cell["seconds"] = round((time.monotonic() - started) / len(wave), 2)
        self._score([c for c in self.sweep["cells"] if c["key"] in {w["key"] for w in wave}])
        sweeps.write_sweep(self.folder, self.sweep)

    def _draw_expert(self, expert, tasks):
        """All tasks of one expert, with the base's first and then pair by pair, so that each LoRA is read once."""
        if not tasks:
            return
        self._progress(f"Loading the expert: {self._title(expert)}", "")
        precision, swapped = self._how_to_keep()
        model = load_expert(self.base, expert, dtype=self.dtype, device=self.device, blocks_swapped=swapped, precision=precision)
        if changed := model.storage.describe():
            self.report("note", message=changed)
        groups = {}
        for cell in tasks:
            groups.setdefault(self._lora_sha(cell, expert), []).append(cell)
        try:
            for sha in sorted(groups):
                self._draw_group(model, expert, sha, sorted(groups[sha], key=lambda c: c["strength"]))
        finally:
            release(model)

    def _how_to_keep(self):
        """(number format, blocks in RAM): as set, or more of them where the free GPU memory asks for it."""
        if self.device.type != "cuda":
            return "fp32", self.settings.blocks_swapped
        free, total = torch.cuda.mem_get_info(self.device)[0] / GB, psutil.virtual_memory().total / GB
        precision, swapped = how_to_keep(self.base, self.settings, free, total)
        return precision, max(self.settings.blocks_swapped, swapped)

    def _draw_group(self, model, expert, sha, cells):
        if sha:
            try:
                state = self._read_lora(cells[0]["pair"], expert, sha)
            except (ValueError, OSError) as e:
                return self._fail(expert, cells, str(e))
            apply_lora(model, state, cells[0]["strength"])
        try:
            for cell in cells:
                if sha:
                    set_strength(model, cell["strength"])
                self._draw_cell(model, expert, cell)
        finally:
            if sha:
                remove_lora(model)
        return None

    def _draw_cell(self, model, expert, cell):
        prompt = self.sweep["prompts"][cell["prompt"]]
        condition = self.conditions[prompt["first_picture"]["sha256"]] if self.base.first_picture else None
        who = f"{cell['pair']} at {cell['strength']:g}" if cell["pair"] else "base"

        def on_step():
            self.steps_done += 1
            self._progress(self._title(expert), f"{prompt['label']}, {who}")

        first, last = expert == self.base.experts[0], expert == self.base.experts[-1]
        state = start_state(self.base, self.settings, cell["seed"], condition) if first else self.store.load(cell["high_key"])
        state = draw_stage(
            model,
            self.base,
            self.settings,
            expert,
            state,
            self.embeds[prompt["text"]],
            self.embeds[self.settings.negative_prompt],
            device=self.device,
            should_stop=self.should_stop,
            on_step=on_step,
        )
        if not torch.isfinite(state["latents"]).all():
            return self._fail(
                expert, [cell], f"the drawing came out as no picture (NaN) in the stage {self._title(expert)}; try a lower strength"
            )
        self.store.save(cell[STAGE_KEYS[expert]], {"latents": state["latents"]} if last else state)
        return None

    def _lora_sha(self, cell, expert):
        if not cell["pair"] or not cell["strength"]:
            return ""
        pair = next(p for p in self.sweep["pairs"] if p["id"] == cell["pair"])
        return pair[SHA_KEYS[expert]]

    def _read_lora(self, pair_id, expert, sha):
        path = find_pair(self.project, pair_id).files.get(expert)
        if path is None or file_sha256(path) != sha:
            raise ValueError(f"the files of {pair_id} are not those this comparison was planned with; start a new comparison")
        return read_lora_file(path)[0]

    def _fail(self, expert, cells, message):
        """Give up the clips that need these stages, with a sentence; the rest goes on."""
        name = STAGE_KEYS[expert]
        keys = {c[name] for c in cells}
        for cell in self.sweep["cells"]:
            if cell["state"] == "waiting" and cell[name] in keys:
                cell |= {"state": "failed", "error": message}
        self.report("note", message=f"{cells[0]['pair'] or 'base'}: {message}")

    # -- video and scores

    def _decode(self, wave):
        ready = [c for c in wave if c["state"] == "waiting" and self.store.has(c["key"])]
        if not ready:
            return
        vae = load_vae(self.base, device=self.device)
        try:
            for cell in ready:
                if self.should_stop():
                    raise Stopped
                frames = to_bytes(decode_frames(vae, self.store.load(cell["key"])["latents"], self.device))
                write_clip(self.folder / cell["clip"], frames, self.base.fps)
                write_poster(self.folder / cell["poster"], frames)
                done = {"state": "done", "error": "", "clip_sha256": file_sha256(self.folder / cell["clip"])}
                for same in self.sweep["cells"]:
                    if same["key"] == cell["key"]:
                        same.update(done)
                self._progress("Writing clips", "")
        finally:
            release(vae)
            sweeps.write_sweep(self.folder, self.sweep)

    def _score(self, cells):
        """Measure clips from the files that are shown, and compare them with the base's of the same prompt and seed."""
        rows = {}
        for cell in cells:
            if needs_scores(cell, self.watcher.key):
                rows.setdefault((cell["prompt"], cell["seed"]), []).append(cell)
        for (prompt, seed), row in rows.items():
            base = sweeps.find_cell(self.sweep, None, prompt, seed, 0.0)
            if base and base["state"] == "done":
                self._progress("Measuring", self.sweep["prompts"][prompt]["label"])
                self._score_row(self.sweep["prompts"][prompt], base, row)

    def _score_row(self, prompt, base, row):
        base_frames = read_clip(self.folder / base["clip"])
        for cell in row:
            frames = base_frames if cell is base else read_clip(self.folder / cell["clip"])
            compared = compare(frames, base_frames) if cell["pair"] else {}
            cell["scores"] = compared | self.watcher.look(frames, prompt)
            cell["scored_by"] = self.watcher.key

    def _progress(self, stage, message):
        total = len(self.sweep["cells"])
        share = self.steps_done / self.steps_total if self.steps_total else 1.0
        done = round(self.first_done + share * (total - self.first_done), 1)
        self.report("progress", stage=stage, done=done, total=total, unit="clips", message=message)
