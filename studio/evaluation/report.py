"""One HTML file that shows a sweep to anyone: clips side by side, verdict, measures, settings. Needs no server and no network."""

import base64
import re
import time
from html import escape
from pathlib import Path

from studio.config import EXPERTS, SweepConfig, list_settings
from studio.evaluation.clip_files import MARK
from studio.evaluation.judge.chart import clip_note, draw_chart
from studio.evaluation.judge.table import WATCHED_COLUMNS
from studio.evaluation.judge.verdict import CLEAR, NOT_MEASURED, VERDICT_VERSION, verdict
from studio.evaluation.sweeps import columns_of, find_cell, read_sweep
from studio.workspace import read_json, write_atomic, write_json

MAX_EMBEDDED_BYTES = 48 * 2**20  # of clips; above that the still picture stands in
TEMPLATE = Path(__file__).parent / "report_page.html"
WATCHED_GUIDE = 4  # lines of the guide, before the last, on what only an observer can measure
GUIDE = (
    "Each row is one prompt and seed, each column one checkpoint pair at one strength; the base model without a LoRA stands first.",
    "The same seed starts from the same noise, so what differs in a row is what the pair has learned.",
    "Look for three things: the person is recognisable, they move as freely as the base's person, and people who are not asked for stay themselves.",
    "Motion and sharpness are ratios to the base (1 is the same). Change is how far the pixels lie from the base's: it must be above 0, and small in rows without the trigger.",
    "Identity says how much the faces are like your photos: 100 % is as alike as your own photos are to each other, 0 % is nothing in common. "
    "It can be a little above 100 %; below 70 % the person is hardly recognised.",
    "Prompt followed is how much of what the prompt says (clothes, place, view, light, movement) is seen. A pair that has learned too long stops listening.",
    "Strangers says how much people who are not asked for look like the person. It should stay where the base's is.",
    "Copies says how near the clips come to a training picture: about 1 is a picture of its own, above 2 it repeats a picture instead of drawing the person anew.",
    "The last checkpoint is often not the best one. When two look alike, take the earlier one or the lower strength.",
)


def write_report(project, sweep_dir):
    """Write report.html, and the verdict in it as verdict.json, into a sweep's folder; returns the report's path. No paths, no project name."""
    sweep_dir = Path(sweep_dir)
    sweep = read_sweep(sweep_dir)
    decision = verdict(project, sweep)
    path = sweep_dir / "report.html"
    write_atomic(path, render_report(sweep_dir, sweep, decision).encode())
    write_json(sweep_dir / "verdict.json", decision | {"verdict_version": VERDICT_VERSION})
    return path


def has_current_report(sweep_dir):
    """Whether its report is there and says what this version of the studio would say."""
    try:
        said = read_json(sweep_dir / "verdict.json")
    except (OSError, ValueError):
        return False
    return said.get("verdict_version") == VERDICT_VERSION and (sweep_dir / "report.html").is_file()


def render_report(sweep_dir, sweep, decision, max_bytes=MAX_EMBEDDED_BYTES):
    """The report as text. max_bytes bounds the clips in it."""
    embedded = _choose_clips(sweep_dir, sweep, decision, max_bytes)
    done = sum(cell["state"] == "done" for cell in sweep["cells"])
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
        "columns": str(len(columns_of(sweep))),
        "ratio": f"{sweep['settings']['width'] / sweep['settings']['height']:.4f}",
        "numbers": _numbers(decision["table"]),
        "chart": _charts(sweep, decision),
        "guide": "".join(f"<p>{escape(line)}</p>" for line in _guide(decision["table"])),
        "settings": _settings(sweep),
        "fps": str(int(sweep["fps"])),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], TEMPLATE.read_text(encoding="utf-8"))


def _choose_clips(sweep_dir, sweep, decision, max_bytes):
    """Keys of the clips that fit: base and the chosen pair first, then the others in order."""
    done = [c for c in sweep["cells"] if c["state"] == "done"]
    chosen, used = set(), 0
    for cell in sorted(
        done, key=lambda c: c["pair"] is not None and (c["pair"], c["strength"]) != (decision["pair"], decision["strength"])
    ):
        size = (sweep_dir / cell["clip"]).stat().st_size * 4 // 3
        if used + size <= max_bytes:
            chosen.add((cell["pair"], cell["strength"], cell["prompt"], cell["seed"]))
            used += size
    return chosen


def _subtitle(sweep, done):
    day = time.strftime("%Y-%m-%d", time.gmtime(sweep["created"]))
    return f"Base model {sweep['base_model']}, {len(sweep['pairs'])} pairs, {done} of {len(sweep['cells'])} clips, planned on {day}"


def _verdict(decision):
    if decision["sure"] == NOT_MEASURED:
        title = "Likeness was not measured: look at the faces."
    elif decision["pair"] is None:
        title = "No pair can be named yet."
    elif decision["sure"] == CLEAR:
        title = f"Use {decision['pair']} at strength {decision['strength']:g}."
    else:
        title = f"Too close to call; start with {decision['pair']} at strength {decision['strength']:g}."
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in decision["why"])
    return f"<h3>{escape(title)}</h3><ul>{reasons}</ul>"


def _columns(sweep, decision):
    """[(pair id or None, strength, class)] of every column: "pinned" is the base, "best" what the verdict names."""
    best = (decision["pair"], decision["strength"])
    return [(p, s, "pinned" if p is None else "best" if (p, s) == best else "") for p, s in columns_of(sweep)]


def _heads(sweep, decision):
    return "".join(
        f'<div class="head {mark}" role="columnheader"><b>{escape(column_title(sweep, pair, strength))}</b></div>'
        for pair, strength, mark in _columns(sweep, decision)
    )


def _rows(sweep_dir, sweep, decision, embedded):
    """A prompt and seed each: its words over the whole width, its clips below."""
    columns, rows = _columns(sweep, decision), []
    for index, prompt in enumerate(sweep["prompts"]):
        for seed in sweep["settings"]["seeds"]:
            places = ""
            for pair, strength, mark in columns:
                cell = _cell(sweep_dir, sweep, find_cell(sweep, pair, index, seed, strength), embedded)
                places += f'<div class="place {mark}" role="cell">{cell}</div>'
            rows.append(f'<div class="prompt" role="row"><div role="rowheader">{_words(sweep, prompt, seed)}</div></div>')
            rows.append(f'<div class="cells" role="row">{places}</div>')
    return "".join(rows)


def _words(sweep, prompt, seed):
    words = [f"<b>{escape(prompt['label'])}</b>"]
    if len(sweep["settings"]["seeds"]) > 1:
        words.append(f"<small>seed {seed}</small>")
    if "first_picture" in prompt:
        words.append(f"<small>begins with {escape(prompt['first_picture']['item'])}</small>")
    return " ".join([*words, f'<small class="text">{escape(prompt["text"])}</small>'])


def column_title(sweep, pair_id, strength):
    """ "Base", "Step 3000 at 0.7"; with the run's name where there are several."""
    if pair_id is None:
        return "Base"
    pair = next(p for p in sweep["pairs"] if p["id"] == pair_id)
    run = f"{pair['run']}, " if len({p["run"] for p in sweep["pairs"]}) > 1 else ""
    return f"{run}step {pair['step']} at {strength:g}".capitalize()


def _cell(sweep_dir, sweep, cell, embedded):
    if cell is None:
        return ""
    if cell["state"] != "done":
        return f'<p class="missing">{escape(cell["error"] or "Not drawn yet.")}</p>'
    name = f"{sweep['prompts'][cell['prompt']]['label']}, {column_title(sweep, cell['pair'], cell['strength'])}"
    poster = _data("image/jpeg", sweep_dir / cell["poster"])
    note = clip_note(cell["scores"])
    note = f"<small>{escape(note).replace(' %', '&nbsp;%')}</small>" if note else ""
    if (cell["pair"], cell["strength"], cell["prompt"], cell["seed"]) not in embedded:
        return f'<img class="cell" src="{poster}" alt="{escape(name, quote=True)}">{note}'
    clip = _data("video/mp4", sweep_dir / cell["clip"])
    return f'<video class="cell" src="{clip}" poster="{poster}" muted loop playsinline preload="auto" aria-label="{escape(name, quote=True)}"></video>{note}'


def _data(kind, path):
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _is_watched(table):
    """Whether the base model has an observer that looked at the clips."""
    return any(row[name] is not None for row in table for name in ("identity", "follows", "resemblance"))


def _guide(table):
    return GUIDE if _is_watched(table) else (*GUIDE[: -WATCHED_GUIDE - 1], GUIDE[-1])


def _charts(sweep, decision):
    """A chart for each strength, the recommended one first; "" where likeness was not measured."""
    titles = {pair["id"]: _short_title(sweep, pair) for pair in sweep["pairs"]}
    strengths = sorted({row["strength"] for row in decision["table"]}, key=lambda s: (s != decision["strength"], s))
    charts = [(strength, draw_chart(decision["table"], strength, titles)) for strength in strengths]
    figures = [f"<figure><figcaption>Strength {s:g}</figcaption>{c['svg']}{c['legend']}</figure>" for s, c in charts if c]
    return f'<h2>Likeness by step</h2><div class="charts">{"".join(figures)}</div>' if figures else ""


def _short_title(sweep, pair):
    return f"Step {pair['step']}" + (f" ({pair['run']})" if len({p["run"] for p in sweep["pairs"]}) > 1 else "")


def _numbers(table):
    columns = [
        ("Pair", lambda row: row["pair"]),
        ("Strength", lambda row: f"{row['strength']:g}"),
        ("Clips", lambda row: str(row["clips"])),
        *(WATCHED_COLUMNS if _is_watched(table) else ()),
        *((title, lambda row, name=name: _number(row[name])) for title, name in PIXEL_COLUMNS),
        *(
            (f"Held-out loss ({expert.replace('_', ' ')})", lambda row, expert=expert: _number(row["held_out"].get(expert)))
            for expert in EXPERTS
        ),
        ("Problems", lambda row: "; ".join(row["problems"]) or "none found"),
    ]
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title, _ in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(value(row))}</td>" for _, value in columns) + "</tr>" for row in table)
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


PIXEL_COLUMNS = (("Motion", "motion"), ("Sharpness", "sharpness"), ("Change", "change"), ("Other people", "drift"))


def _number(value):
    return "not measured" if value is None else f"{value:.3f}"


def _settings(sweep):
    shown = []
    for name, field, _ in list_settings(SweepConfig):
        value = sweep["settings"].get(name)
        if name != "prompts" and value not in (None, ""):
            text = ", ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)
            unit = field.unit
            shown.append((field.label or name, f"{text} {unit}".strip()))
    return "".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in shown)
