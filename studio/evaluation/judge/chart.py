"""The chart of likeness and its guards by step, as SVG whose colours the page gives; and the few words under a clip. Free of torch."""

from html import escape

from studio.evaluation.judge.table import COPYING, percent

WIDTH, HEIGHT = 400, 190  # of the drawing's own units; text of 12 stays readable on a phone
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 24
HIGHEST = 1.2  # what lies above is drawn at the edge
LINES = (  # score, its name in the legend
    ("identity", "Identity"),
    ("motion", "Motion against the base"),
    ("follows", "Prompt followed"),
    ("resemblance", "Strangers like the person"),
)


def draw_chart(table, strength, titles):
    """{"svg", "legend", "points"} of the pairs at one strength behind the base, {} where likeness was not measured.

    titles: {pair id: what stands under its points}. points: [{"pair", "at" (share of the width), "label"}], for pages where they can be pressed.
    """
    rows = [row for row in table if row["strength"] == strength and row["identity"] is not None]
    if not rows:
        return {}
    steps = [("Base", rows[0]["base"] | {"motion": 1.0}), *((titles[row["pair"]], row) for row in rows)]
    places = [LEFT + (WIDTH - LEFT - RIGHT) * (i + 0.5) / len(steps) for i in range(len(steps))]
    label = f"Likeness by step at strength {strength:g}. " + " ".join(f"{title}: {_values(row)}." for title, row in steps)
    parts = [_axis(), *(_step_label(x, title, len(steps)) for x, (title, _) in zip(places, steps, strict=True))]
    parts += [_line(name, [(x, row[name]) for x, (_, row) in zip(places, steps, strict=True)]) for name, _ in LINES]
    svg = (
        f'<svg class="step-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'
    )
    points = [
        {"pair": row["pair"], "at": round(x / WIDTH, 4), "label": f"{titles[row['pair']]} at {strength:g}: {_values(row)}"}
        for x, row in zip(places[1:], rows, strict=True)
    ]
    shown = [(name, title) for name, title in LINES if any(row[name] is not None for _, row in steps)]
    return {"svg": svg, "legend": _legend(shown), "points": points}


def _values(row):
    return ", ".join(f"{title.lower()} {percent(row[name])}" for name, title in LINES if row[name] is not None)


def _y(value):
    return TOP + (1 - min(max(value, 0), HIGHEST) / HIGHEST) * (HEIGHT - TOP - BOTTOM)


def _axis():
    lines = (
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(v):.1f}" y2="{_y(v):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{_y(v) + 4:.1f}" text-anchor="end">{percent(v)}</text>'
        for v in (0.0, 0.5, 1.0)
    )
    return "".join(lines)


def _step_label(x, title, count):
    words = title.removeprefix("Step ") if count > 5 else title
    return f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(words)}</text>'


def _line(name, points):
    points = [(x, _y(value)) for x, value in points if value is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    return f'<g class="of-{name}"><polyline points="{path}"/>{dots}</g>'


def _legend(shown):
    swatch = '<svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true"><g class="of-{}"><polyline points="0,4 24,4"/></g></svg>'
    return '<ul class="chart-legend">' + "".join(f"<li>{swatch.format(name)} {escape(title)}</li>" for name, title in shown) + "</ul>"


def clip_note(scores):
    """What stands under a clip: "identity 91 %, prompt 95 %"; "" where nothing was seen with an eye."""
    words = []
    if "identity" in scores:
        words.append(f"identity {percent(scores['identity'])}")
    if "resemblance" in scores:
        words.append(f"like the person {percent(scores['resemblance'])}")
    if "follows" in scores:
        words.append(f"prompt {percent(scores['follows'])}")
    if scores.get("memorised", 0) > COPYING:
        words.append(f"near a training picture ({scores['memorised']:.1f} times)")
    return ", ".join(words)
