"""The report is one file that opens anywhere, shows every clip, and says nothing private."""

import re

import numpy as np
import pytest

from studio.config import SweepConfig, to_dict
from studio.disk import read_json, write_json
from studio.evaluation.clip_files import write_clip, write_poster
from studio.evaluation.judge.verdict import verdict
from studio.evaluation.report import has_current_report, render_report, write_report
from studio.evaluation.sweeps import read_sweep

SCORES = {"motion": 0.9, "sharpness": 1.0, "flicker": 0.0, "base_flicker": 0.0, "clipping": 0.0, "change": 0.1, "applied": True}
PAIR = "train-001/step-000030"


@pytest.fixture
def sweep_dir(project):
    """A drawn sweep: two prompts, the base and one pair, and one clip that failed."""
    folder = project.sweeps_dir / "sweep-001"
    rng = np.random.default_rng(0)
    prompts = [
        {"label": "Por<trait>", "text": "ohwx, {{grid}} & <b>", "kind": "person"},
        {"label": "Walk", "text": "ohwx walks", "kind": "person"},
    ]
    cells = []
    for prompt in range(2):
        for pair, strength in ((None, 0.0), (PAIR, 0.7)):
            key = f"{prompt}{pair is not None:d}"
            cell = {
                "key": key,
                "high_key": key,
                "pair": pair,
                "prompt": prompt,
                "seed": 42,
                "strength": strength,
                "state": "done",
                "error": "",
            }
            cell |= {"clip": f"cells/{key}.mp4", "poster": f"cells/{key}.jpg", "scores": SCORES if pair else {}}
            frames = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
            write_clip(folder / cell["clip"], frames, 16)
            write_poster(folder / cell["poster"], frames)
            cells.append(cell)
    cells[3] |= {"state": "failed", "error": "the file <x> is damaged", "scores": {}}
    settings = to_dict(SweepConfig(prompts=("a", "b"), strengths=(0.7,)))
    pairs = [{"id": PAIR, "run": "train-001", "step": 30, "high_sha256": "1", "low_sha256": "2"}]
    facts = {"created": 0.0, "base_model": "tiny", "base_key": "k", "fps": 16}
    write_json(folder / "sweep.json", facts | {"settings": settings, "prompts": prompts, "pairs": pairs, "cells": cells})
    return folder


def test_the_report_is_self_contained_and_private(project, sweep_dir, tmp_path):
    page = write_report(project, sweep_dir).read_text(encoding="utf-8")
    assert page.count("<video ") == 3
    assert page.count("data:video/mp4;base64,") == 3
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "http://" not in page
    assert "https://" not in page
    assert str(tmp_path) not in page
    assert "Anna" not in page
    assert "default-src 'none'" in page
    assert "AI-generated with Likeness Studio" in page
    assert "prefers-color-scheme: dark" in page
    assert (sweep_dir / "verdict.json").is_file()


def test_words_from_prompts_and_errors_are_shown_and_not_run(project, sweep_dir):
    page = write_report(project, sweep_dir).read_text(encoding="utf-8")
    assert "Por&lt;trait&gt;" in page
    assert "ohwx, {{grid}} &amp; &lt;b&gt;" in page
    assert "the file &lt;x&gt; is damaged" in page
    assert "<trait>" not in page


def test_the_report_says_what_the_verdict_says_and_what_was_not_measured(project, sweep_dir):
    decision = verdict(project, read_sweep(sweep_dir))
    page = write_report(project, sweep_dir).read_text(encoding="utf-8")
    assert "Likeness was not measured: look at the faces." in page
    assert "Use train" not in page and 'class="best"' not in page
    assert "not measured" in page
    assert "1 clip could not be drawn" in " ".join(decision.why)
    assert "Step 30 at 0.7" in page


def test_a_report_of_an_earlier_version_of_the_verdict_counts_as_missing(project, sweep_dir):
    assert not has_current_report(sweep_dir)
    write_report(project, sweep_dir)
    assert has_current_report(sweep_dir)
    write_json(sweep_dir / "verdict.json", {"pair": PAIR, "sure": "clear"})
    assert not has_current_report(sweep_dir)


def test_clips_beyond_the_bound_are_shown_as_stills(project, sweep_dir):
    sweep = read_sweep(sweep_dir)
    page = render_report(sweep_dir, sweep, verdict(project, sweep), max_bytes=0)
    assert "<video " not in page
    assert page.count("data:image/jpeg;base64,") == 3
    assert "to keep this file small: 3 clips." in page


def test_a_sweep_without_any_clip_still_gives_a_page(project, sweep_dir):
    sweep = read_sweep(sweep_dir).with_cells(lambda cell: cell.undrawn())
    page = render_report(sweep_dir, sweep, verdict(project, sweep))
    assert "No pair can be named yet." in page
    assert page.count("Not drawn yet.") == 4


@pytest.fixture
def seen_dir(sweep_dir):
    """The same sweep, seen by an observer; the second prompt is another person's."""
    sweep = read_json(sweep_dir / "sweep.json")
    sweep["prompts"][1]["kind"] = "class"
    sweep["cells"][3] |= {"state": "done", "error": ""}
    person, other = {"identity": 0.912, "identity_fall": 0.01, "memorised": 2.4, "follows": 0.95}, {"resemblance": 0.1, "follows": 0.8}
    for cell in sweep["cells"]:
        cell["scores"] = (SCORES if cell["pair"] else {}) | (other if cell["prompt"] else person)
        cell["scored_by"] = "0123456789abcdef"
        if cell["pair"] is None and not cell["prompt"]:
            cell["scores"] |= {"identity": 0.08, "memorised": 1.0}
    write_json(sweep_dir / "sweep.json", sweep)
    return sweep_dir


def test_likeness_stands_in_the_verdict_the_table_under_the_clips_and_in_a_chart(project, seen_dir):
    page = write_report(project, seen_dir).read_text(encoding="utf-8")
    assert "Identity 91 % of your photos; motion 90 % of the base." in page
    assert "<td>91 % (base 8 %)</td>" in page
    assert "<small>identity 91&nbsp;%, prompt 95&nbsp;%, near a training picture (2.4 times)</small>" in page
    assert "<small>like the person 10&nbsp;%, prompt 80&nbsp;%</small>" in page
    assert 'aria-label="Likeness by step at strength 0.7. Base: identity 8 %' in page
    for words in ("Prompt followed is how much", "Copies says how near", "it copies training pictures, 2.4 times"):
        assert words in page
    assert "Likeness was not measured" not in page
    assert "{{" not in page.replace("{{grid}}", "")


def test_without_an_observer_there_is_no_chart_and_no_column_for_likeness(project, sweep_dir):
    page = write_report(project, sweep_dir).read_text(encoding="utf-8")
    assert "<svg" not in page
    assert "Prompt followed" not in page


# -- how it is read


def words_of(page, tag):
    """What stands in all elements of a kind, without what is inside them."""
    return [re.sub(r"<[^>]+>", "", found) for found in re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", page, re.DOTALL)]


PIXELS = "Motion and sharpness are ratios to the base (1 is the same). Change is how far the pixels lie from the base's: it must be above 0, and small in rows without the trigger."
EYE = [
    "Identity says how much the faces are like your photos: 100 % is as alike as your own photos are to each other, 0 % is nothing in common. "
    "It can be a little above 100 %; below 70 % the person is hardly recognised.",
    "Prompt followed is how much of what the prompt says (clothes, place, view, light, movement) is seen. A pair that has learned too long stops listening.",
    "Strangers says how much people who are not asked for look like the person. It should stay where the base's is.",
    "Copies says how near the clips come to a training picture: about 1 is a picture of its own, above 2 it repeats a picture instead of drawing the person anew.",
]


@pytest.mark.parametrize("is_seen", [False, True])
def test_the_guide_says_how_to_read_what_is_there_from_the_whole_to_the_single(project, sweep_dir, request, is_seen):
    folder = request.getfixturevalue("seen_dir") if is_seen else sweep_dir
    told = [escaped.replace("&#x27;", "'") for escaped in words_of(write_report(project, folder).read_text(encoding="utf-8"), "p")]
    begin = next(n for n, words in enumerate(told) if words.startswith("Each row is one prompt and seed"))
    middle = [PIXELS, *EYE] if is_seen else [PIXELS]
    assert [words.split(",")[0].split(":")[0] for words in told[begin + 1 : begin + 3]] == [
        "The same seed starts from the same noise",
        "Look for three things",
    ]
    assert told[begin + 3 : begin + 3 + len(middle)] == middle
    assert told[begin + 3 + len(middle)].startswith("The last checkpoint is often not the best one.")


@pytest.mark.parametrize(("is_seen", "columns"), [
    (False, ["Motion", "Sharpness", "Change", "Other people"]),
    (True, ["Identity", "Prompt followed", "Strangers like the person", "Copies", "Motion", "Sharpness", "Change", "Other people"]),
])  # fmt: skip
def test_the_table_of_the_report_has_a_column_for_each_measure_that_an_eye_or_none_gave(project, sweep_dir, request, is_seen, columns):
    page = write_report(project, request.getfixturevalue("seen_dir") if is_seen else sweep_dir).read_text(encoding="utf-8")
    heads = words_of(page, "th")
    assert [head for head in heads if head in columns] == columns
    assert is_seen or not {"Identity", "Copies"} & set(heads)
    values = dict(zip(heads, words_of(page, "td")))
    assert (values["Motion"], values["Sharpness"], values["Change"]) == ("0.900", "1.000", "0.100")
    assert values["Other people"] == ("0.100" if is_seen else "not measured")
