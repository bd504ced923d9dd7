"""Captions written by a server that is a process of its own: traits, answers that are no use, going on, and one word for one thing."""

import itertools
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from caption_server_kit import asked, caption_server

from studio.config import CaptionConfig, load_preset
from studio.data import dataset
from studio.data.auditing.disagreements import contradictions_in
from studio.data.captions.caption_report import REFUSED, CaptionReport
from studio.data.captions.contradictions import AXES, find_contradiction
from studio.data.captions.forbidden import take_out, without
from studio.data.captions.traits import LEARN, NAME, choose_traits, list_traits
from studio.data.captions.writing.answer import read_answer
from studio.data.captions.writing.instructions import REMINDER, bounds, instruction
from studio.data.captions.writing.vocabulary import propose, replacements, unify
from studio.errors import Problem

STYLE = load_preset("captions", "standard")
RIGHT = "ohwx, a person, wearing a red coat, smiling, a park, soft light"
HAIR = next(trait for trait in list_traits() if trait.name == "hair")
GLASSES = next(trait for trait in list_traits() if trait.name == "glasses")


@pytest.fixture
def filled(project, media):
    project.dataset_dir.mkdir(parents=True)
    for name, source in (("0001.jpg", "person_a_1.jpg"), ("0002.jpg", "person_a_2.jpg"), ("0003.jpg", "astronaut.png")):
        shutil.copy(media / source, project.dataset_dir / name)
    return project


def write(project, address, journal=None, config=None, **wish):
    from studio.data.captions.writing.writer import Wish, write_captions
    from studio.models.captioners.server.server_captioner import open_server

    return write_captions(
        project,
        open_captioner=lambda: open_server(address, "", False),
        config=config or CaptionConfig(),
        wish=Wish(**wish),
        journal=journal,
        report=lambda *_, **__: None,
        should_stop=lambda: False,
    )


def captions_of(project):
    return [item.caption for item in dataset.list_items(project)]


# -- traits


def test_what_is_learned_is_forbidden_in_the_question_and_what_a_person_names_is_asked_for():
    usual = instruction(STYLE, "photo")
    assert "Do not mention hair, beard, eye color" in usual and "glasses" not in usual
    changed = instruction(STYLE, "clip", choose_traits({"hair": NAME, "glasses": LEARN}))
    assert "Do not mention beard, glasses, eye color" in changed
    assert HAIR.ask in changed
    assert "{" not in usual + changed


def test_a_style_of_a_persons_own_without_the_place_for_traits_forbids_them_all_the_same():
    own = {"photo": "Say what they wear.\nPERSON: ...\nSCENE: ...", "leave_out": [], "max_words": 9}
    assert instruction(own, "photo").endswith("Do not mention hair or beard.")


def read(text, choices=None, **more):
    traits = choose_traits(choices or {})
    return read_answer(text, trigger="ohwx", instruction=instruction(STYLE, "photo", traits), **bounds(STYLE, traits), **more)


@pytest.mark.parametrize(
    ("choices", "said", "person"),
    [
        ({}, "wearing a blue shirt and glasses, long brown hair", "wearing a blue shirt and glasses"),
        ({"glasses": LEARN}, "wearing a blue shirt and glasses, long brown hair", "wearing a blue shirt"),
        ({"hair": NAME}, "wearing a blue shirt, long brown hair tied back", "wearing a blue shirt, long brown hair tied back"),
        ({"glasses": LEARN}, "wearing sunglasses and a hat, round glasses", "wearing sunglasses and a hat"),
        ({"makeup": LEARN}, "smiling with red lipstick, wearing black and white glasses", "smiling, wearing black and white glasses"),
        ({"glasses": LEARN}, "wearing black and white glasses, waving at someone", "waving at someone"),
    ],
)
def test_an_answer_loses_what_is_learned_and_as_little_beside_it_as_can_be(choices, said, person):
    assert read(f"PERSON: {said}\nSCENE: a park", choices).person == person


@pytest.mark.parametrize("trait", list_traits(), ids=lambda trait: trait.name)
def test_no_word_of_a_learned_trait_comes_through(trait):
    for word in trait.words:
        for said in (f"wearing a coat and {word}", f"{word} in the sun", f"a coat with {word} and a hat", f"short and curly {word}"):
            answer = read(f"PERSON: {said}, waving at someone\nSCENE: a park", {trait.name: LEARN})
            assert word not in f"{answer.person} {answer.scene}".casefold().split(), (word, answer)


def test_a_trait_is_taken_out_of_captions_that_are_there_and_the_trigger_stays():
    assert take_out("glasses, a person, wearing a tie and glasses, a bar", GLASSES.words) == "glasses, a person, wearing a tie, a bar"
    assert without("blond hair", HAIR.words) == ""


# -- answers that are no use


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("As an AI language model, I can't describe people.", "declined"),
        ("PERSON: wearing a coat, as requested\nSCENE: a park", "no description"),
        ("PERSON: wearing a coat\nSCENE: a park, let me know if you need more", "no description"),
        ("PERSON: what can change from photo to photo, wearing a coat\nSCENE: a park", "repeated the question"),
        ("PERSON: standing in a kitchen, indoors, outdoors\nSCENE: a park", "of indoors and of outdoors"),
        ("PERSON: close-up, full body\nSCENE: a park", "of a close-up and of the full body"),
        ("PERSON: no person visible\nSCENE: a park, trees", "nobody"),
    ],
)
def test_what_refuses_leaks_or_contradicts_itself_is_no_use(text, words):
    answer = read(text)
    assert (answer.person, answer.scene) == ("", "") and words in answer.problem


def test_an_answer_that_was_cut_off_is_no_use():
    assert "cut off" in read("PERSON: wearing a red coat, sitting on a", complete=False).problem


def test_a_man_where_the_person_is_a_woman_is_a_contradiction_and_another_person_beside_her_is_none():
    assert "speaks of a man" in read("PERSON: a man in a suit, waving\nSCENE: a bar", class_noun="woman").problem
    assert read("PERSON: she waves, standing beside a man\nSCENE: a bar", class_noun="woman").problem == ""
    assert read("PERSON: a man in a suit, waving\nSCENE: a bar", class_noun="person").problem == ""


def test_in_a_clip_somebody_may_stand_and_then_sit():
    said = "PERSON: standing, then sitting down and seated\nSCENE: a park"
    assert "standing and of sitting" in read(said).problem and read(said, is_clip=True).problem == ""


def test_every_pair_of_one_axis_contradicts_and_pairs_of_two_axes_do_not():
    for axis in AXES.values():
        first, second = [words[0] for words in axis.values()][:2]
        assert find_contradiction(f"{first}, {second}") and not find_contradiction(first)
    assert not find_contradiction(", ".join(next(iter(axis.values()))[0] for axis in AXES.values()))


def test_what_a_captioner_may_not_say_is_what_the_audit_finds():
    for axis in AXES.values():
        for one, other in itertools.combinations(axis.values(), 2):
            for text in (f"{one[0]}, {other[-1]}", f"{other[0]}, {one[-1]}"):
                assert bool(find_contradiction(text)) == bool(contradictions_in(text)) == 1, text


@pytest.mark.parametrize("behaviour", ["empty", "html", "fails-once"])
def test_what_can_not_be_read_keeps_the_old_caption_and_is_listed(behaviour, filled, tmp_path):
    dataset.set_caption(filled, "0001", "ohwx, an older one", source="auto")
    with caption_server("llama.cpp", behaviour, tmp_path / "log") as address:
        result = write(filled, address, overwrite_auto=True)
    listed = {note.id: note.text for note in result.notes}
    assert "0001" in listed and captions_of(filled)[0] == "ohwx, an older one"
    assert result.written + result.failed + result.refused == 3


def test_an_answer_that_was_cut_off_is_asked_for_once_more_with_more_room(filled, tmp_path):
    with caption_server("llama.cpp", "cut", tmp_path / "log") as address:
        result = write(filled, address, only=["0001"])
    assert [question["max_tokens"] for question in asked(tmp_path / "log")] == [120, 240]
    assert result.written == 1 and captions_of(filled)[0] == RIGHT


def test_a_server_that_refuses_pictures_ends_the_job_and_keeps_what_is_there(filled, tmp_path):
    dataset.set_caption(filled, "0001", "ohwx, an older one", source="auto")
    with caption_server("ollama", "refuses-pictures", tmp_path / "log") as address, pytest.raises(Problem, match="can't look at pictures"):
        write(filled, address, overwrite_auto=True)
    assert captions_of(filled) == ["ohwx, an older one", "", ""]


def test_an_item_that_a_person_has_asked_anew_is_asked_in_other_words_and_warmer(filled, tmp_path):
    with caption_server("llama.cpp", "", tmp_path / "log") as address:
        write(filled, address, only=["0001"], overwrite_auto=True, attempt=1)
    [question] = asked(tmp_path / "log")
    assert question["temperature"] > 0 and question["texts"][0].endswith(REMINDER)


# -- going on


KILLED = """
import sys
from pathlib import Path
from studio.config import CaptionConfig
from studio.data.captions.writing.writer import Wish, write_captions
from studio.models.captioners.server.server_captioner import open_server
from studio.workspace import project_of
project, address, journal = project_of(Path(sys.argv[1]) / "runs" / "caption-001"), sys.argv[2], Path(sys.argv[3])
write_captions(project, open_captioner=lambda: open_server(address, "", False), config=CaptionConfig(), wish=Wish(overwrite_auto=True),
               journal=journal, report=lambda *_, **__: None, should_stop=lambda: False)
"""


def test_a_kill_loses_the_item_in_hand_at_most(filled, tmp_path):
    for item in dataset.list_items(filled):
        dataset.set_caption(filled, item.id, "ohwx, an older one", source="auto")
    journal, log = tmp_path / "captions.jsonl", tmp_path / "log"
    with caption_server("llama.cpp", "slow", log) as address:
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(filled.root), address, str(journal)], cwd=Path(__file__).parents[1])
        while len(asked(log)) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
        dataset._list.cache_clear()
        done = captions_of(filled).count(RIGHT)
        result = write(filled, address, journal=journal, overwrite_auto=True)
    assert done >= 1 and result.written == 3 and captions_of(filled) == [RIGHT] * 3
    assert len(asked(log)) <= 4  # three items, and the one in hand once more


def test_what_an_earlier_version_wrote_of_a_caption_job_is_still_read():
    old = {
        "written": 2,
        "plain": 1,
        "kept": 0,
        "failed": 0,
        "stopped": False,
        "notes": [{"id": "0001", "file": "0001.jpg", "text": "look"}],
    }
    report = CaptionReport.from_json(old, "status.json")
    assert (report.written, report.refused, report.notes[0].code) == (2, 0, "")
    assert report.to_json()["plain"] == 1


# -- the window


def test_an_answer_that_was_no_use_is_listed_with_a_button_that_asks_again(filled, tmp_path):
    from studio.data.captions.caption_report import CaptionNote
    from studio.ui.dataset.job_results import caption_groups

    notes = (
        CaptionNote(
            id="0002", file="0002.jpg", text="the captioner declined to describe it; it has no caption", code=REFUSED, answer="I can't."
        ),
    )
    [group] = caption_groups(CaptionReport(refused=1, notes=notes))
    [line] = group.lines
    assert line.item == "0002" and "It said: I can't." in line.text
    assert (line.answers[0].label, line.answers[0].name) == ("Ask again", "0002")


def test_learning_a_trait_takes_it_out_of_automatic_captions_and_names_the_persons_own(filled):
    from studio.ui.dataset.captioning import choose_trait

    dataset.set_caption(filled, "0001", "ohwx, a person, wearing a tie and glasses, a bar", source="auto")
    dataset.set_caption(filled, "0002", "ohwx, a person, my glasses on", source="hand")
    said = choose_trait(filled, LEARN, "glasses")
    assert captions_of(filled)[:2] == ["ohwx, a person, wearing a tie, a bar", "ohwx, a person, my glasses on"]
    assert "out of 1 caption" in said and "0002" in said
    assert filled.facts().traits == {"glasses": LEARN}
    dataset.undo(filled)
    assert captions_of(filled)[0] == "ohwx, a person, wearing a tie and glasses, a bar"


def test_a_server_of_another_computer_is_shown_with_what_leaves_and_used_only_when_the_person_insists(filled):
    from studio.ui import actions
    from studio.ui.dataset.captioning import choose, choose_server, describe_captioner

    choose_server(filled, "192.168.1.20:8080")
    shown = describe_captioner(filled, actions.caption_settings(filled))
    assert shown.remarks[0].tone == "remark" and "is another computer" in shown.remarks[0].text
    choose(filled, "may_leave", True)
    shown = describe_captioner(filled, actions.caption_settings(filled))
    assert "leave this computer and go to 192.168.1.20:8080" in shown.remarks[0].text
    choose_server(filled, "")
    assert "captioner" not in filled.facts().caption_choice


# -- one word for one thing


def test_words_that_mean_the_same_are_proposed_with_counts_and_the_persons_own_word_wins(filled):
    dataset.set_caption(filled, "0001", "ohwx, a person, wearing a tee, on a couch", source="auto")
    dataset.set_caption(filled, "0002", "ohwx, a person, two T-shirts, on a couch", source="auto")
    dataset.set_caption(filled, "0003", "ohwx, a person, on the sofa", source="hand")
    found = {proposal.chosen: proposal for proposal in propose(dataset.list_items(filled))}
    assert {term.word: (term.count, term.automatic) for term in found["sofa"].terms} == {"couch": (2, 2), "sofa": (1, 0)}
    assert found["sofa"].num_changed == 2 and found["T-shirt"].num_changed == 1
    instead = replacements(found.values(), {proposal.key: proposal.chosen for proposal in found.values()})
    assert (
        unify("ohwx, a person, wearing a tee, two tees, on a couch", instead)
        == "ohwx, a person, wearing a T-shirt, two T-shirts, on a sofa"
    )


def test_words_are_used_in_automatic_captions_only_and_one_undo_takes_all_back(filled):
    from types import SimpleNamespace

    from studio.ui.dataset.captioning import describe_words, use_words

    dataset.set_caption(filled, "0001", "ohwx, a person, wearing a tee", source="auto")
    dataset.set_caption(filled, "0002", "ohwx, a person, a T-shirt", source="auto")
    dataset.set_caption(filled, "0003", "ohwx, a person, a tee", source="imported")
    [row] = describe_words(filled).rows
    before = {path.name: path.read_bytes() for path in filled.dataset_dir.glob("*.txt")}
    said = use_words(filled, SimpleNamespace(accepted={row.key: "T-shirt"}))
    assert said.startswith("1 automatic caption") and captions_of(filled) == [
        "ohwx, a person, wearing a T-shirt",
        "ohwx, a person, a T-shirt",
        "ohwx, a person, a tee",
    ]
    assert dataset.get_item(filled, "0001").caption_source == "auto"
    dataset.undo(filled)
    assert {path.name: path.read_bytes() for path in filled.dataset_dir.glob("*.txt")} == before
    with pytest.raises(Problem, match="have changed"):
        use_words(filled, SimpleNamespace(accepted={"no = such": "no"}))


def test_spellings_are_found_without_a_list_and_the_trigger_is_never_touched(filled):
    dataset.set_caption(filled, "0001", "tee, a person, wristwatch, a wrist watch", source="auto")
    dataset.set_caption(filled, "0002", "tee, a person, a wrist-watch, a T-shirt", source="auto")
    dataset.set_caption(filled, "0003", "tee, a person, a wrist-watch, a tee", source="auto")
    found = propose(dataset.list_items(filled))
    assert {proposal.chosen for proposal in found} >= {"wrist-watch"}
    instead = replacements(found, {proposal.key: proposal.chosen for proposal in found})
    assert all(unify(caption, instead).startswith("tee, a person") for caption in captions_of(filled))


def test_a_thousand_captions_are_looked_through_at_a_cost_that_grows_with_them():
    """Ratio of twice as many in the same run; far below the square."""
    from types import SimpleNamespace

    def cost(number):
        texts = [f"ohwx, a person, wearing a {('tee', 'T-shirt')[i % 2]}, on a couch {i}, a street" for i in range(number)]
        items = [SimpleNamespace(keep=True, caption=text, caption_source="auto") for text in texts]
        started = time.process_time()
        assert propose(items)[0].num_changed == number // 2
        return time.process_time() - started

    cost(50)
    assert cost(1000) < 4 * cost(500)


def test_the_vocabulary_names_no_word_twice():
    from collections import Counter

    from studio.data.captions.writing.vocabulary import same_words

    words = Counter(word.casefold() for group in same_words() for word in group)
    assert [word for word, count in words.items() if count > 1] == []
    assert json.dumps(same_words())
