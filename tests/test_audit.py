"""The audit of all captions together: what it finds, why, and what would mend it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.data.auditing import finding as codes
from studio.data.auditing.audit import audit
from studio.data.auditing.causes import DIFFERENT_MOST, FUSED_SHARE, MIN_CAPTIONS, SAME_LEAST
from studio.data.auditing.disagreements import contradictions_in, what_was_seen
from studio.data.auditing.finding import About
from studio.data.auditing.phrases import find_phrases, stem
from studio.data.auditing.project_audit import audit_project, stamp_of
from studio.data.auditing.spelling import distance, traces_in
from studio.data.captions.edits import plan_edit
from studio.data.captions.rules import check_caption, class_prompt
from studio.data.dataset import list_items
from studio.data.item_record import Item
from studio.data.looking.look import FaceLook, Look
from studio.data.looking.look_alikes import group_outfits, group_places
from studio.data.looking.looks import add, looks_file
from studio.data.looking.packing import pack_shares
from studio.data.people.who import PERSON, Seen


def items(*captions, keep=True):
    fields = dict(kind="photo", path=Path(), width=64, height=64, num_frames=1, fps=0.0, seconds=0.0, caption_source="hand")
    return [Item(id=f"{n:04d}", caption=c, keep=keep, original="", sha256="", **fields) for n, c in enumerate(captions, 1)]


PROJECT = About(trigger="ohwx", class_noun="person")


def test_the_captioner_s_plain_caption_is_legal_and_the_audit_asks_to_look_at_it():
    assert check_caption("ohwx, a young woman", "ohwx") == []  # legal: it can be trained with
    found = audit(items("ohwx, a person", "ohwx, a person, in a park"), PROJECT)
    assert [f.items for f in found] == [("0001",)] and "says nothing about the scene" in found[0].message
    assert found[0].severity == "warning"


def test_the_audit_of_a_good_set_is_silent():
    good = items("ohwx, red coat, street", "ohwx, blue shirt, park", "ohwx, green hat, beach", "ohwx, suit, office", "ohwx, dress, stage")
    assert audit(good, PROJECT) == []


def test_the_audit_names_empty_missing_and_doubled_captions_with_their_items():
    found = audit(items("", "a person, street", "photo, ohwx", "ohwx, a hat", "Ohwx, a hat."), PROJECT)
    by_items = {f.items: f for f in found}
    assert {finding.code for finding in found} == {"no-caption", "no-trigger", "trigger-later", "same-caption", "spelling"}
    assert by_items[("0001",)].severity == "error" and "1 photo without a caption" in by_items[("0001",)].message
    assert "without the trigger" in by_items[("0002",)].message
    assert "does not come first" in by_items[("0003",)].message
    assert "same caption" in by_items[("0004", "0005")].message
    assert [f.severity for f in found] == sorted(f.severity for f in found)
    assert all(f.fix for f in found)


@pytest.mark.parametrize("typo", ["ohxw", "ohwxx", "ohw", "ohvx", "owhx"])
def test_the_audit_finds_mistyped_triggers(typo):
    found = audit(items("ohwx, red coat", f"ohwx, with {typo}"), PROJECT)
    assert [f.items for f in found] == [("0002",)] and typo in found[0].message


def test_the_audit_takes_no_real_word_for_a_typo():
    assert audit(items("zorn, red coat", "zorn, horn and corn"), About(trigger="zorn", class_noun="person"))[1:] == []


def test_the_audit_finds_words_that_fuse_with_the_trigger():
    places = ["street", "park", "beach", "office", "stage", "kitchen"]
    found = audit(items(*(f"ohwx, a person with glasses in the {p}" for p in places)), PROJECT)
    assert [f.message for f in found] == ['"with glasses" stands in 6 of 6 captions and will become part of the person.']
    assert str(found[0]) == found[0].message


def test_the_audit_looks_at_kept_items_only_and_says_when_the_trigger_is_bad():
    assert audit(items("", "", keep=False), PROJECT) == []
    assert "real word" in audit([], About(trigger="anna", class_noun="person"))[0].message


def coded(found, code):
    return [finding for finding in found if finding.code == code]


def mended(captions, finding, trigger="ohwx"):
    """The captions after the edit that a finding proposes."""
    changes = {change.id: change.after for change in plan_edit(items(*captions), finding.edit, trigger).changes}
    return [changes.get(item.id, item.caption) for item in items(*captions)]


# -- words that become part of the person


PLACES = ["street", "park", "beach", "office", "stage", "kitchen", "forest", "station", "library", "garden"]


def phrases(captions, *breaks):
    return {phrase.text: len(phrase.members) for phrase in find_phrases(captions, FUSED_SHARE, breaks)}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("ohwx, wearing a red coat, in the {}", "wearing a red coat"),
        ("ohwx, 1girl, red_coat, {}", "red coat"),
        ("ohwx is standing in a {}, soft light from a window", "soft light"),
        ("ohwx，穿着红色外套，站在{}", "穿着红色外套"),
        ("ohwxの女性が赤いコートを着て、{}に立っている", "赤いコート"),
        ("ohwx, eine Frau trägt einen roten Mantel auf dem {}", "trägt einen roten mantel"),
        ("ohwx, elle porte un manteau rouge, dans le {}", "porte un manteau rouge"),
        ("ohwx, девушка в красном пальто, {}", "красном пальто"),
        ("ohwx, 빨간 코트를 입고 {}", "코트"),
    ],
)
def test_a_phrase_in_nearly_every_caption_is_found_in_any_language(caption, expected):
    assert expected in " | ".join(phrases([caption.format(place) for place in PLACES], "ohwx", "女性"))


def test_plurals_and_endings_are_one_word():
    assert stem("smiles") == stem("smiling") == stem("smiled") == stem("smile")
    assert stem("dress") == stem("dresses") and stem("box") == stem("boxes") and stem("running") == stem("run")
    assert stem("coat") != stem("cat") and stem("glass") == "glass"
    found = phrases([f"ohwx, {form}, {place}" for form, place in zip(["smile", "smiles", "smiling", "smiled", "smiling"], PLACES)], "ohwx")
    assert found == {"smiling": 5}


def test_the_longest_phrase_speaks_for_its_parts_unless_one_stands_alone_more_often():
    always = [f"ohwx, a red coat, {place}" for place in PLACES]
    assert phrases(always, "ohwx") == {"a red coat": 10}
    many = [f"ohwx, a red coat, {place}" for place in PLACES * 2]
    many = [caption.replace("a red coat", "a coat of wool") if number < 3 else caption for number, caption in enumerate(many)]
    assert phrases(many, "ohwx") == {"a coat": 20} or phrases(many, "ohwx").keys() == {"coat", "a red coat"}


def test_a_word_below_the_share_is_no_finding_and_few_captions_say_nothing():
    captions = [f"ohwx, hat, {place}" if number < 8 else f"ohwx, {place}" for number, place in enumerate(PLACES)]
    assert phrases(captions, "ohwx") == {}
    few = items(*(f"ohwx, hat, {place}" for place in PLACES[: MIN_CAPTIONS - 1]))
    assert not coded(audit(few, PROJECT), codes.FUSED)


@pytest.mark.parametrize(
    ("phrase", "outfits", "places", "cause", "said"),
    [
        ("a red coat", [1] * 9 + [2], range(10), codes.PHOTOS, "9 of 10 photos show about the same outfit"),
        ("a red coat", range(10), [1] * 10, codes.CAPTIONS, "The photos differ"),
        ("in a room", range(10), [1] * 9 + [2], codes.PHOTOS, "9 of 10 photos show about the same place"),
        ("in a room", [1] * 10, range(10), codes.CAPTIONS, "The photos differ"),
        ("in a room", [1] * 10, [1, 1, 1, 1, 1, 1, 2, 3, 4, 5], codes.UNKNOWN, "About 6 of 10"),
        ("brown hair", [1] * 10, [1] * 10, codes.TRAIT, "become part of the person"),
        ("soft shadows", [1] * 10, [1] * 10, codes.UNKNOWN, "become part of the person"),
    ],
)
def test_a_fused_word_says_whether_photos_or_captions_would_change_it(phrase, outfits, places, cause, said):
    captions = [f"ohwx, {phrase}, number {chr(97 + n) * 5}" for n in range(10)]
    ids = [item.id for item in items(*captions)]
    about = About(trigger="ohwx", class_noun="person", outfits=dict(zip(ids, outfits)), places=dict(zip(ids, places)))
    [found] = [finding for finding in coded(audit(items(*captions), about), codes.FUSED) if phrase.split()[-1] in finding.phrase]
    assert found.cause == cause and said in found.message
    assert all(phrase not in caption for caption in mended(captions, found))


def test_photos_to_blame_are_those_that_look_alike():
    captions = [f"ohwx, a red coat, {place}" for place in PLACES]
    ids = [item.id for item in items(*captions)]
    about = About(trigger="ohwx", class_noun="person", outfits=dict(zip(ids, [1] * 8 + [2, 3])))
    [found] = coded(audit(items(*captions), about), codes.FUSED)
    assert found.items == tuple(ids[:8])


def test_without_measurements_the_cause_is_not_guessed():
    captions = [f"ohwx, a red coat, {place}" for place in PLACES]
    [found] = coded(audit(items(*captions), PROJECT), codes.FUSED)
    assert found.cause == codes.UNKNOWN
    two_measured = About(trigger="ohwx", class_noun="person", outfits={"0001": 1, "0002": 1})
    assert coded(audit(items(*captions), two_measured), codes.FUSED)[0].cause == codes.UNKNOWN


# -- the trigger, mistyped


@pytest.mark.parametrize(
    ("word", "expected"),
    [("ohwx", 0), ("ohxw", 1), ("ohw", 1), ("ohwxx", 1), ("phwx", 1), ("xyz", 3), ("oxhwx", 1), ("wohx", 2)],
)
def test_the_distance_of_two_words_counts_letters_and_swaps(word, expected):
    assert distance(word, "ohwx", 2) == expected


@pytest.mark.parametrize("typo", ["zxqviol", "zxqvilo", "xzqvlio", "zxqvi", "zxxqvilo", "xqvlioo"])
def test_a_long_trigger_is_known_with_two_slips(typo):
    captions = ["zxqvlio, red coat", f"zxqvlio, with {typo}"]
    [found] = coded(audit(items(*captions), About(trigger="zxqvlio", class_noun="person")), codes.TYPO)
    assert found.items == ("0002",)
    assert mended(captions, found, "zxqvlio")[1] == "zxqvlio, with zxqvlio"


@pytest.mark.parametrize(
    ("glued", "apart"), [("ohwx_woman", "ohwx woman"), ("ohwxwoman", "ohwx woman"), ("myohwx", "my ohwx"), ("ohwx22", "ohwx 22")]
)
def test_a_trigger_glued_to_other_letters_is_found_and_cut_off(glued, apart):
    captions = [f"ohwx, {glued} in a park"]
    [found] = coded(audit(items(*captions), PROJECT), codes.GLUED)
    assert glued in found.message
    assert mended(captions, found) == [f"ohwx, {apart} in a park"]


def test_a_trigger_in_another_case_is_one_finding_with_its_mending():
    captions = ["Ohwx, red coat", "ohwx, OHWX and a hat", "ohwx, street"]
    [found] = coded(audit(items(*captions), PROJECT), "spelling")
    assert found.items == ("0001", "0002") and "OHWX, Ohwx" in found.message
    assert mended(captions, found) == ["ohwx, red coat", "ohwx, ohwx and a hat", "ohwx, street"]


def test_a_hyphen_or_another_script_does_not_glue():
    assert audit(items("ohwx-like hat", "ohwxの女性、公園", "ohwx's coat, beach"), PROJECT) == []


def test_a_placeholder_is_replaced_by_the_trigger():
    captions = ["ohwx, [trigger] in a park"]
    [found] = coded(audit(items(*captions), PROJECT), "placeholder")
    assert mended(captions, found) == ["ohwx, ohwx in a park"]


# -- class prompts


def test_the_persons_name_and_a_glued_trigger_are_traces_that_class_prompts_keep():
    about = About(trigger="ohwx", class_noun="woman", name="Anna Woman-Smith 2")
    captions = ["ohwx, Anna in a park", "ohwx, ohwx_woman, beach", "ohwx, annas hat, smithy", "ohwx, Smith smiles"]
    prompts = [class_prompt(caption, "ohwx", "woman") for caption in captions]
    assert [traces_in(prompt, about) for prompt in prompts] == [["Anna"], ["ohwx_woman"], [], ["Smith"]]
    names = coded(audit(items(*captions), about), codes.NAME)
    assert [(found.phrase, found.items) for found in names] == [("Anna", ("0001",)), ("Smith", ("0004",))]
    assert mended(captions, names[0])[0] == "ohwx, the woman in a park"
    assert traces_in(class_prompt("ohwx, a woman, red coat", "ohwx", "woman"), about) == []


# -- contradictions


@pytest.mark.parametrize(
    ("caption", "pair"),
    [
        ("ohwx, a red coat, smiling, a blue coat", ("red coat", "blue coat")),
        ("ohwx, a long red wool coat, the navy coat is open", ("red wool coat", "navy coat")),
        ("ohwx, red_coat, blue_coat", ("red coat", "blue coat")),
        ("ohwx, manteau rouge, manteau bleu", ("manteau rouge", "manteau bleu")),
        ("ohwx，红色外套，蓝色外套", ("红色外套", "蓝色外套")),
        ("ohwx、赤いコート、青いコート", ("赤いコート", "青いコート")),
        ("ohwx indoors, trees, outdoors", ("indoors", "outdoors")),
        ("ohwx, close-up, full body", ("close-up", "full body")),
        ("ohwx, smiling, not smiling", ("smiling", "not smiling")),
    ],
)
def test_a_caption_that_contradicts_itself_says_with_what(caption, pair):
    [sentence] = contradictions_in(caption)
    assert all(f'"{part}"' in sentence for part in pair)
    [found] = coded(audit(items(caption), PROJECT), codes.CONTRADICTION)
    assert found.items == ("0001",) and found.details[0].about == "0001"


@pytest.mark.parametrize(
    "caption",
    [
        "ohwx, red coat, blue shirt, black shoes",
        "ohwx, a red and white coat, the coat is open",
        "ohwx, red coat with black buttons, blue jeans",
        "ohwx, a red coat beside another blue coat",
        "ohwx, black top hat, red top",
        "ohwx, white shirt under a black shirt",
        "ohwx, navy coat, a dark blue coat",
        "ohwx, not smiling",
        "ohwx, without glasses",
        "ohwx, black hair, white skirt",
        "",
    ],
)
def test_what_can_both_be_so_is_no_contradiction(caption):
    assert contradictions_in(caption) == ()


def test_in_a_clip_somebody_may_stand_and_then_sit():
    assert contradictions_in("ohwx, standing, then sitting", is_clip=True) == ()
    assert contradictions_in("ohwx, a red coat, a blue coat", is_clip=True)


def face(share_of_height, width=200.0, **more):
    return FaceLook(left=0.0, top=0.0, width=width, height=1000 * share_of_height, score=0.9, landmarks=(1.0,) * 10, **more)


def look(*faces, **more):
    return Look(eye="test", width=1000, height=1000, faces=faces, **more)


@pytest.mark.parametrize(
    ("caption", "seen", "said"),
    [
        ("ohwx, close-up", look(face(0.1)), "shows about the full body"),
        ("ohwx, full body", look(face(0.5)), "shows about a close-up"),
        ("ohwx, two people", look(face(0.3)), "one face"),
        ("ohwx, in profile", look(face(0.3, turn=3.0)), "about from the front"),
        ("ohwx, front view", look(face(0.3, turn=-60.0)), "about from the side"),
        ("ohwx, seen from behind", look(face(0.3, turn=3.0)), "the face is seen"),
        ("ohwx, solo", look(face(0.3), face(0.3, width=150.0)), "2 faces"),
        ("ohwx, black and white photo", look(colour=12.0), "has colours"),
        ("ohwx, a red coat", look(colour=0.1), "black and white"),
    ],
)
def test_a_caption_is_held_against_what_was_measured(caption, seen, said):
    [sentence] = what_was_seen(caption, seen)
    assert said in sentence
    [found] = coded(audit(items(caption), About(trigger="ohwx", class_noun="person", looks={"0001": seen})), codes.SEEN_OTHERWISE)
    assert said in found.details[0].words


@pytest.mark.parametrize(
    ("caption", "seen"),
    [
        ("ohwx, close-up", None),
        ("ohwx, close-up", look()),
        ("ohwx, close-up", look(face(0.3))),
        ("ohwx, two people", look()),
        ("ohwx, in profile", look(face(0.3))),
        ("ohwx, in profile", look(face(0.3, turn=30.0))),
        ("ohwx, a red coat", look(colour=4.0)),
        ("ohwx, solo", look(face(0.3), face(0.1, width=50.0))),
        ("ohwx, black and white photo", look()),
        ("ohwx, a red coat", look(colour=12.0)),
    ],
)
def test_what_was_not_measured_or_fits_is_no_finding(caption, seen):
    assert what_was_seen(caption, seen) == ()


def test_a_caption_is_held_against_the_person_s_face_and_not_the_largest():
    both = look(face(0.5, width=400.0, turn=-60.0), face(0.3, turn=3.0))
    person = Seen(who=PERSON, face=1, share_of_others=2.0)
    assert "from the front" in what_was_seen("ohwx, in profile", both, person)[0]
    assert what_was_seen("ohwx, front view", both, person) == () and "from the side" in what_was_seen("ohwx, front view", both)[0]


# -- what the photos show


def shares_of(*colours):
    """A histogram of a few colours, packed as a Look holds it."""
    counts = np.zeros(6 * 16 * 16)
    for number, share in colours:
        counts[number] = share
    return pack_shares(counts / counts.sum())


def test_photos_of_about_one_place_are_one_group_and_what_nobody_measured_is_in_none():
    room, almost, beach = shares_of((5, 0.6), (9, 0.4)), shares_of((5, 0.55), (9, 0.45)), shares_of((700, 1.0))
    looks = {"a": look(background=beach), "b": look(background=room), "c": look(background=almost), "d": look(background=room), "e": look()}
    groups = group_places(looks)
    assert groups["b"] == groups["c"] == groups["d"] != groups["a"] and "e" not in groups
    assert group_outfits(looks) == {} and group_places({}) == {}


def test_the_limits_of_the_cause_are_those_that_were_measured():
    """Largest group: up to 45 % of 77 and 104 varied web photos of two people; all of ten pictures made of one photo in 13 of 14 cases, else 60 %."""
    assert 0.45 <= DIFFERENT_MOST < SAME_LEAST <= 0.8
    assert FUSED_SHARE == 0.85  # caption-audit's, FACTS.md


def test_the_audit_of_a_project_knows_what_was_seen_in_its_photos(project):
    project.dataset_dir.mkdir(parents=True)
    for number, place in enumerate(PLACES):
        Image.new("RGB", (64, 64), (number, 99, 0)).save(project.dataset_dir / f"p{number}.png")
        (project.dataset_dir / f"p{number}.txt").write_text(f"ohwx, a red coat, in the {place}", encoding="utf-8")
    [before] = coded(audit_project(project), codes.FUSED)
    stamp = stamp_of(project)
    for item in list_items(project):
        add(looks_file(project), item.sha256, [look(outfit=shares_of((7, 1.0)))])
    [after] = coded(audit_project(project), codes.FUSED)
    assert (before.cause, after.cause) == (codes.UNKNOWN, codes.PHOTOS) and "10 of 10 photos" in after.message
    assert stamp_of(project) != stamp
