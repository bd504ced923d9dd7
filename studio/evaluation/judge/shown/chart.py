"""The chart of likeness and its guards by step, as SVG whose colours the page gives; and the few words under a clip. Free of torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.row import Row, number
from studio.evaluation.judge.score import Line, Note
from studio.evaluation.judge.scores import parts
from studio.evaluation.sweep_facts import Values

WIDTH, HEIGHT = 400, 190  # of the drawing's own units; text of 12 stays readable on a phone
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 24
HIGHEST = 1.2  # what lies above is drawn at the edge
STYLED = ("identity", "motion", "follows", "resemblance")  # lines that the page's and the report's styles know, as .of-NAME
HUES = 137.5  # degrees from one colour to the next: the golden angle, so that few are never alike


@dataclass(frozen=True)
class Point:
    """A pair in the chart, for pages where it can be pressed. at: its share of the width."""

    pair: str
    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    svg: str
    legend: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class _Step:
    """What stands above one place of the chart's foot."""

    title: str
    x: float
    values: Mapping[str, float | None]


def draw_chart(table: Sequence[Row], strength: float, titles: Mapping[str, str]) -> Chart | None:
    """The pairs at one strength behind the base; None where likeness was not measured. titles: {pair id: what stands under its points}."""
    rows = [row for row in table if row.strength == strength and row.identity is not None]
    if not rows:
        return None
    lines = parts(Line)
    base = {line.reads: rows[0].of_base(line.reads) if line.base is None else line.base for line in lines}
    named = [("Base", base), *((titles[row.pair], {line.reads: row.number(line.reads) for line in lines}) for row in rows)]
    places = [LEFT + (WIDTH - LEFT - RIGHT) * (i + 0.5) / len(named) for i in range(len(named))]
    steps = [_Step(title, x, values) for (title, values), x in zip(named, places, strict=True)]
    label = f"Likeness by step at strength {strength:g}. " + " ".join(f"{step.title}: {_say(step.values)}." for step in steps)
    drawn = [_axis(), *(_step_label(step.x, step.title, len(steps)) for step in steps)]
    looks = line_looks(lines)
    drawn += [_line(looks[line.reads], [(step.x, step.values[line.reads]) for step in steps]) for line in lines]
    svg = (
        f'<svg class="step-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">{"".join(drawn)}</svg>'
    )
    points = [
        Point(row.pair, round(step.x / WIDTH, 4), f"{step.title} at {strength:g}: {_say(step.values)}")
        for step, row in zip(steps[1:], rows, strict=True)
    ]
    shown = [line for line in lines if any(step.values[line.reads] is not None for step in steps)]
    return Chart(svg, _legend(shown, looks), tuple(points))


def _say(values: Mapping[str, float | None]) -> str:
    said = [(line.title.lower(), values[line.reads]) for line in parts(Line)]
    return ", ".join(f"{title} {percent(value)}" for title, value in said if value is not None)


def _y(value: float) -> float:
    return TOP + (1 - min(max(value, 0), HIGHEST) / HIGHEST) * (HEIGHT - TOP - BOTTOM)


def _axis() -> str:
    lines = (
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(v):.1f}" y2="{_y(v):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{_y(v) + 4:.1f}" text-anchor="end">{percent(v)}</text>'
        for v in (0.0, 0.5, 1.0)
    )
    return "".join(lines)


def _step_label(x: float, title: str, count: int) -> str:
    words = title.removeprefix("Step ") if count > 5 else title
    return f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(words)}</text>'


def line_looks(lines: Sequence[Line]) -> dict[str, str]:
    """{what a line reads: the attributes of its drawing}: a class that has a style, else a colour and dashes of its own."""
    looks = {line.reads: f'class="of-{line.reads}"' for line in lines}
    for place, line in enumerate(line for line in lines if line.reads not in STYLED):
        colour = f"hsl({(280 + place * HUES) % 360:.0f} 55% 50%)"
        looks[line.reads] += f' stroke="{colour}" fill="{colour}" stroke-dasharray="{3 + 2 * place} 3"'
    return looks


def _line(look: str, points: Sequence[tuple[float, float | None]]) -> str:
    drawn = [(x, _y(value)) for x, value in points if value is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in drawn)
    return f'<g {look}><polyline points="{path}"/>{dots}</g>'


def _legend(shown: Sequence[Line], looks: Mapping[str, str]) -> str:
    swatch = '<svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true"><g {}><polyline points="0,4 24,4"/></g></svg>'
    return (
        '<ul class="chart-legend">'
        + "".join(f"<li>{swatch.format(looks[line.reads])} {escape(line.title)}</li>" for line in shown)
        + "</ul>"
    )


def clip_note(scores: Values) -> str:
    """What stands under a clip: "identity 91 %, prompt 95 %"; "" where nothing was seen with an eye."""
    read = [(note, number(scores, note.reads)) for note in parts(Note)]
    words = [note.words(value) for note, value in read if value is not None]
    return ", ".join(word for word in words if word)
