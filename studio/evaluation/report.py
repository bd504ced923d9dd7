"""One HTML file that shows a sweep to anyone: clips side by side, verdict, measures, settings. Needs no server and no network."""

import base64
import re
import time
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from studio.config import EXPERTS, SweepConfig, list_settings
from studio.disk import read_json, write_atomic, write_json
from studio.evaluation.clip_files import MARK
from studio.evaluation.judge.figures import decimal_or_not
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.score import Column, Guide
from studio.evaluation.judge.scores import eye_scores, parts
from studio.evaluation.judge.shown.chart import clip_note, draw_chart
from studio.evaluation.judge.table import name_problems
from studio.evaluation.judge.verdict import CLEAR, NOT_MEASURED, VERDICT_VERSION, Verdict, verdict
from studio.evaluation.sweep_facts import Cell, ComparedPair, Prompt, Sweep
from studio.evaluation.sweeps import read_sweep
from studio.workspace import Project

MAX_EMBEDDED_BYTES = 48 * 2**20  # of clips; above that the still picture stands in
TEMPLATE = Path(__file__).parent / "report_page.html"
GUIDE_BEFORE = (
    "Each row is one prompt and seed, each column one checkpoint pair at one strength; the base model without a LoRA stands first.",
    "The same seed starts from the same noise, so what differs in a row is what the pair has learned.",
    "Look for three things: the person is recognisable, they move as freely as the base's person, and people who are not asked for stay themselves.",
)
GUIDE_AFTER = "The last checkpoint is often not the best one. When two look alike, take the earlier one or the lower strength."


def write_report(project: Project, sweep_dir: Path) -> Path:
    """Write report.html, and the verdict in it as verdict.json, into a sweep's folder; returns the report's path. No paths, no project name."""
    sweep_dir = Path(sweep_dir)
    sweep = read_sweep(sweep_dir)
    decision = verdict(project, sweep)
    path = sweep_dir / "report.html"
    write_atomic(path, render_report(sweep_dir, sweep, decision).encode())
    write_json(sweep_dir / "verdict.json", decision.to_json() | {"verdict_version": VERDICT_VERSION})
    return path


def has_current_report(sweep_dir: Path) -> bool:
    """Whether its report is there and says what this version of the studio would say."""
    try:
        said = read_json(sweep_dir / "verdict.json")
    except (OSError, ValueError):
        return False
    return said.get("verdict_version") == VERDICT_VERSION and (sweep_dir / "report.html").is_file()


def render_report(sweep_dir: Path, sweep: Sweep, decision: Verdict, max_bytes: int = MAX_EMBEDDED_BYTES) -> str:
    """The report as text. max_bytes bounds the clips in it."""
    embedded = _choose_clips(sweep_dir, sweep, decision, max_bytes)
    done = sum(cell.is_done for cell in sweep.cells)
    left_out = done - len(embedded)
    parts = {
        "mark": escape(MARK),
        "subtitle": escape(_subtitle(sweep, done)),
        "verdict": _verdict(decision),
        "embedded": escape(
            f"Shown as still pictures, to keep this file small: {left_out} clips." if left_out else "All clips play together."
        ),
        "heads": _heads(sweep, decision),
        "rows": _rows(sweep_dir, sweep, decision, embedded),
        "columns": str(len(sweep.columns)),
        "ratio": f"{sweep.config.width / sweep.config.height:.4f}",
        "numbers": _numbers(decision.table),
        "chart": _charts(sweep, decision),
        "guide": "".join(f"<p>{escape(line)}</p>" for line in _guide(decision.table)),
        "settings": _settings(sweep),
        "fps": str(sweep.fps),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], TEMPLATE.read_text(encoding="utf-8"))


Place = tuple[str | None, float, int, int]  # pair, strength, prompt and seed of a clip


def _place(cell: Cell) -> Place:
    return cell.pair, cell.strength, cell.prompt, cell.seed


def _choose_clips(sweep_dir: Path, sweep: Sweep, decision: Verdict, max_bytes: int) -> set[Place]:
    """The clips that fit: base and the chosen pair first, then the others in order."""
    done = [cell for cell in sweep.cells if cell.is_done]
    chosen, used = set(), 0
    best = (decision.pair, decision.strength)
    for cell in sorted(done, key=lambda cell: cell.pair is not None and (cell.pair, cell.strength) != best):
        size = (sweep_dir / cell.clip).stat().st_size * 4 // 3
        if used + size <= max_bytes:
            chosen.add(_place(cell))
            used += size
    return chosen


def _subtitle(sweep: Sweep, done: int) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(sweep.created))
    return f"Base model {sweep.base_model}, {len(sweep.pairs)} pairs, {done} of {len(sweep.cells)} clips, planned on {day}"


def _verdict(decision: Verdict) -> str:
    if decision.sure == NOT_MEASURED:
        title = "Likeness was not measured: look at the faces."
    elif decision.pair is None:
        title = "No pair can be named yet."
    elif decision.sure == CLEAR:
        title = f"Use {decision.pair} at strength {decision.strength:g}."
    else:
        title = f"Too close to call; start with {decision.pair} at strength {decision.strength:g}."
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in decision.why)
    return f"<h3>{escape(title)}</h3><ul>{reasons}</ul>"


def _columns(sweep: Sweep, decision: Verdict) -> list[tuple[str | None, float, str]]:
    """(pair id or None, strength, class) of every column: "pinned" is the base, "best" what the verdict names."""
    best, columns = (decision.pair, decision.strength), []
    for pair, strength in sweep.columns:
        mark = "best" if (pair, strength) == best else ""
        columns.append((pair, strength, "pinned" if pair is None else mark))
    return columns


def _heads(sweep: Sweep, decision: Verdict) -> str:
    return "".join(
        f'<div class="head {mark}" role="columnheader"><b>{escape(column_title(sweep, pair, strength))}</b></div>'
        for pair, strength, mark in _columns(sweep, decision)
    )


def _rows(sweep_dir: Path, sweep: Sweep, decision: Verdict, embedded: set[Place]) -> str:
    """A prompt and seed each: its words over the whole width, its clips below."""
    columns, rows = _columns(sweep, decision), []
    for index, prompt in enumerate(sweep.prompts):
        for seed in sweep.config.seeds:
            places = ""
            for pair, strength, mark in columns:
                cell = _cell(sweep_dir, sweep, sweep.find_cell(pair, index, seed, strength), embedded)
                places += f'<div class="place {mark}" role="cell">{cell}</div>'
            rows.append(f'<div class="prompt" role="row"><div role="rowheader">{_words(sweep, prompt, seed)}</div></div>')
            rows.append(f'<div class="cells" role="row">{places}</div>')
    return "".join(rows)


def _words(sweep: Sweep, prompt: Prompt, seed: int) -> str:
    words = [f"<b>{escape(prompt.label)}</b>"]
    if len(sweep.config.seeds) > 1:
        words.append(f"<small>seed {seed}</small>")
    if prompt.first_picture:
        words.append(f"<small>begins with {escape(prompt.first_picture.item)}</small>")
    return " ".join([*words, f'<small class="text">{escape(prompt.text)}</small>'])


def column_title(sweep: Sweep, pair_id: str | None, strength: float) -> str:
    """ "Base", "Step 3000 at 0.7"; with the run's name where there are several."""
    if pair_id is None:
        return "Base"
    pair = sweep.find_pair(pair_id)
    if pair.title:
        return f"{pair.title} at {strength:g}"
    run = f"{pair.run}, " if sweep.has_several_runs else ""
    return f"{run}step {pair.step} at {strength:g}".capitalize()


def _cell(sweep_dir: Path, sweep: Sweep, cell: Cell | None, embedded: set[Place]) -> str:
    if cell is None:
        return ""
    if not cell.is_done:
        return f'<p class="missing">{escape(cell.error or "Not drawn yet.")}</p>'
    name = escape(f"{sweep.prompt_of(cell).label}, {column_title(sweep, cell.pair, cell.strength)}", quote=True)
    poster = _data("image/jpeg", sweep_dir / cell.poster)
    note = clip_note(cell.scores)
    note = f"<small>{escape(note).replace(' %', '&nbsp;%')}</small>" if note else ""
    if _place(cell) not in embedded:
        return f'<img class="cell" src="{poster}" alt="{name}">{note}'
    clip = _data("video/mp4", sweep_dir / cell.clip)
    return f'<video class="cell" src="{clip}" poster="{poster}" muted loop playsinline preload="auto" aria-label="{name}"></video>{note}'


def _data(kind: str, path: Path) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _is_seen(table: Sequence[Row]) -> bool:
    """Whether an eye looked at the clips."""
    names = {name for score in eye_scores() for name in score.gives}
    return any(row.number(name) is not None for row in table for name in names)


def _guide(table: Sequence[Row]) -> list[str]:
    return [*GUIDE_BEFORE, *(guide.text for guide in parts(Guide, with_eye=_is_seen(table))), GUIDE_AFTER]


def _charts(sweep: Sweep, decision: Verdict) -> str:
    """A chart for each strength, the recommended one first; "" where likeness was not measured."""
    titles = {pair.id: _short_title(sweep, pair) for pair in sweep.pairs}
    strengths = sorted({row.strength for row in decision.table}, key=lambda s: (s != decision.strength, s))
    charts = [(strength, draw_chart(decision.table, strength, titles)) for strength in strengths]
    figures = [f"<figure><figcaption>Strength {s:g}</figcaption>{chart.svg}{chart.legend}</figure>" for s, chart in charts if chart]
    return f'<h2>Likeness by step</h2><div class="charts">{"".join(figures)}</div>' if figures else ""


def _short_title(sweep: Sweep, pair: ComparedPair) -> str:
    return pair.title or f"Step {pair.step}" + (f" ({pair.run})" if sweep.has_several_runs else "")


def _numbers(table: Sequence[Row]) -> str:
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("Pair", lambda row: row.pair),
        ("Strength", lambda row: f"{row.strength:g}"),
        ("Clips", lambda row: str(row.clips)),
        *((column.title, column.words) for column in parts(Column, with_eye=_is_seen(table)) if column.in_report),
        *(_loss_column(expert) for expert in EXPERTS),
        ("Problems", name_problems),
    ]
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title, _ in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(value(row))}</td>" for _, value in columns) + "</tr>" for row in table)
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


def _loss_column(expert: str) -> tuple[str, Callable[[Row], str]]:
    return f"Held-out loss ({expert.replace('_', ' ')})", lambda row: decimal_or_not(row.held_out.get(expert))


def _settings(sweep: Sweep) -> str:
    shown = []
    for name, field, _ in list_settings(SweepConfig):
        value = sweep.settings.get(name)
        if name != "prompts" and value not in (None, ""):
            text = ", ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)
            unit = field.unit
            shown.append((field.label or name, f"{text} {unit}".strip()))
    return "".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in shown)
