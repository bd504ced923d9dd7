"""Every sentence of the audit and of the rules of captions and triggers, with what mends it and where it begins: a change of any is seen here."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.data import limits
from studio.data.auditing.audit import audit
from studio.data.auditing.causes import Alike, cause_of, largest_group
from studio.data.auditing.disagreements import contradictions_in, what_was_seen
from studio.data.auditing.finding import About
from studio.data.auditing.spelling import distance, is_slip, names_of
from studio.data.captions.contradictions import find_contradiction
from studio.data.captions.rules import check_caption, check_trigger, compose_caption, fill, says_nothing
from studio.data.item_record import Item
from studio.data.looking.look import FaceLook, Look

ABOUT = About(trigger="ohwx", class_noun="woman", name="Anna Berg")


def items(*captions, kind="photo"):
    fields = dict(kind=kind, path=Path(), width=64, height=64, num_frames=1, fps=0.0, seconds=0.0, caption_source="hand")
    return [Item(id=f"{n:04d}", caption=words, original="", sha256="", **fields) for n, words in enumerate(captions, 1)]


def told(*captions, about=ABOUT, kind="photo"):
    return [(finding.severity, finding.message, finding.fix) for finding in audit(items(*captions, kind=kind), about)]


# -- all captions together


AUDITS = [  # captions, how grave it is, what is said, what mends it
    ([""], "error", "1 photo without a caption.", "Write them, or let the captioner write them."),
    (["", ""], "error", "2 photos without a caption.", "Write them, or let the captioner write them."),
    (["a woman in a park"], "error", "1 photo without the trigger ohwx.", "Begin each caption with ohwx."),
    (["a photo of ohwx in a park"], "warning", "1 photo where ohwx does not come first.", "Move ohwx to the front."),
    (["ohwx, a woman"], "warning", "1 photo whose caption says nothing about the scene.", "Say what may change: clothes, pose, place, light."),
    (["ohwx, in a park", "ohwx in a park!"], "warning", "2 photos with the same caption.", "Say what differs: clothes, pose, place, light."),
    (["ohwx, with ohxw in a park"], "warning", '"ohxw" looks like a mistyped ohwx (1 photo).', "Replace ohxw by ohwx in all captions."),
    (["ohwx, ohwxwoman in a park"], "warning", 'In "ohwxwoman" the trigger is glued to other letters (1 photo), so that it is another word, and stays in the class prompt.', 'Write "ohwx woman" instead.'),
    (["ohwx, and OHWX in a park"], "warning", "The trigger is written OHWX (1 photo), which is read as another word.", "Write ohwx, as everywhere."),
    (["ohwx, [trigger] in a park"], "warning", "[trigger] is a placeholder of another program and stands for nothing here (1 photo).", "Replace it by ohwx."),
    (["ohwx, anna in a park"], "warning", "The name Anna stands in captions (1 photo); the class prompt, which is for other people, keeps it.", "Leave the name out; ohwx stands for the person."),
    (["ohwx, standing, sitting"], "warning", "1 caption that seems to contradict itself (1 photo).", "Look at the picture, and keep what is right."),
    (["ohwx, standing, sitting", "ohwx, indoors, outdoors"], "warning", "2 captions that seem to contradict themselves (2 photos).", "Look at the picture, and keep what is right."),
]  # fmt: skip


@pytest.mark.parametrize(("captions", "severity", "message", "fix"), AUDITS)
def test_what_the_audit_says_of_captions(captions, severity, message, fix):
    assert told(*captions) == [(severity, message, fix)]


def test_a_good_caption_and_no_captions_at_all_have_nothing_said_of_them():
    assert told("ohwx, smiling, in a park") == [] and told() == []


def test_clips_are_called_clips_and_both_together_items():
    assert told("", kind="clip")[0][1] == "1 clip without a caption."
    mixed = [*items(""), replace(items("")[0], id="clip-01", kind="clip")]
    assert audit(mixed, ABOUT)[0].message == "2 items without a caption."


def test_errors_come_before_warnings():
    found = told("ohwx, a woman", "", "a photo of ohwx", "a park")
    assert [severity for severity, _, _ in found] == ["error", "error", "warning", "warning"]


def test_a_trigger_that_is_no_good_is_told_before_all():
    found = told("anna, in a park", about=About(trigger="anna", class_noun="woman"))
    assert found[0][0] == "error" and found[0][1].startswith(
        '"anna" is a real word or name, which the model already has a picture of; invent one'
    )
    assert found[0][2] == "Change the trigger in the project's settings."


def test_without_a_trigger_nothing_is_said_of_it():
    messages = [message for _, message, _ in told("in a park", about=About(trigger="", class_noun="woman"))]
    assert messages == ["The trigger is empty; invent a word that stands for the person, for example ohwx."]


class TenCharacters:
    """A base model that reads ten characters of a caption."""

    prompt_tokens = 10

    def num_tokens(self, text):
        return len(text)

    def unread(self, text):
        return text[10:]


def test_what_the_base_model_does_not_read_is_quoted():
    (found,) = audit(items("ohwx, smiles", "ohwx, hat"), replace(ABOUT, reader=TenCharacters()))
    assert found.message == "1 photo whose caption is longer than the 10 tokens that the model reads."
    assert found.fix == "Shorten them: what stands at the end is not learned."
    assert [(detail.about, detail.words) for detail in found.details] == [("0001", 'Not read: "es".')]


# -- words that become part of the person


LETTERS = ["park", "street", "beach", "office", "stage", "kitchen", "forest", "station", "library", "garden"]
COAT = '"a red coat" stands in 10 of 10 captions and will become part of the person.'


@pytest.mark.parametrize(("outfits", "message", "fix"), [
    ([], COAT, "Leave it out where it should belong to the person; otherwise add pictures without it, and caption those so."),
    ([1] * 7 + [2, 3, 4], f"{COAT} 7 of 10 photos show about the same outfit.", "Change the photos: add some without it, or leave some of these out. Other captions would not help."),
    ([1] * 6 + [2, 3, 4, 5], f"{COAT} About 6 of 10 photos show one outfit.", "Leave it out where it should belong to the person; otherwise add pictures without it, and caption those so."),
    ([1] * 5 + [2, 3, 4, 5, 6], f"{COAT} The photos differ: no outfit is in more than about 5 of 10.", "Change the captions: leave it out, or say what each photo really shows."),
])  # fmt: skip
def test_a_phrase_in_every_caption_is_told_with_its_cause(outfits, message, fix):
    captions = [f"ohwx, a red coat, {place}" for place in LETTERS]
    about = replace(ABOUT, outfits=dict(zip([item.id for item in items(*captions)], outfits, strict=False)))
    assert told(*captions, about=about) == [("warning", message, fix)]


def test_looks_are_learned_as_the_person_and_the_choice_is_told():
    captions = [f"ohwx, brown hair, {place}" for place in LETTERS]
    fix = "Leave it out where it should belong to the person. Where it should stay changeable, add photos without it."
    assert told(*captions) == [("warning", '"brown hair" stands in 10 of 10 captions and will become part of the person.', fix)]


@pytest.mark.parametrize(("having", "is_told"), [(9, True), (8, False)])
def test_a_phrase_is_told_from_85_of_100_captions_on(having, is_told):
    captions = [f"ohwx, a red coat, {place}" if n < having else f"ohwx, {place}" for n, place in enumerate(LETTERS)]
    assert bool(told(*captions)) == is_told


@pytest.mark.parametrize(("count", "is_told"), [(5, True), (4, False)])
def test_of_fewer_than_five_captions_nothing_is_said_to_be_always_so(count, is_told):
    assert bool(told(*(f"ohwx, a red coat, {place}" for place in LETTERS[:count]))) == is_told


@pytest.mark.parametrize(("num_measured", "is_judged"), [(6, True), (5, False)])
def test_what_photos_show_is_told_where_three_fifths_of_them_were_measured(num_measured, is_judged):
    having = items(*LETTERS)
    assert (largest_group(having, {item.id: 1 for item in having[:num_measured]}) is not None) == is_judged


def test_of_fewer_than_five_measured_photos_nothing_is_told():
    few = items(*LETTERS[:5])
    assert largest_group(few, {item.id: 1 for item in few[:4]}) is None
    assert largest_group(few, {item.id: 1 for item in few}) == Alike(tuple(item.id for item in few), 5)


@pytest.mark.parametrize(("kind", "same", "cause"), [
    ("garment", 7, "photos"), ("garment", 6, "unknown"), ("garment", 5, "captions"), ("place", 10, "photos"), ("looks", 10, "trait"), ("looks", 1, "trait"),
])  # fmt: skip
def test_where_each_cause_begins(kind, same, cause):
    assert cause_of(kind, Alike(tuple(map(str, range(same))), 10)) == cause
    assert cause_of(kind, None) == ("trait" if kind == "looks" else "unknown")


# -- the trigger, mistyped


@pytest.mark.parametrize(("word", "trigger", "is_one"), [
    ("ohxw", "ohwx", True), ("ohx", "ohwx", True), ("ohwxy", "ohwx", True), ("ohyx", "ohwx", True), ("xwho", "ohwx", True),
    ("ohwx", "ohwx", False), ("ohyz", "ohwx", False), ("abc", "abd", False), ("abcf", "abcd", True), ("zxqvi", "zxqvlio", True),
    ("zxqv", "zxqvlio", False), ("zxqab", "zxqvl", False), ("zxqva", "zxqvl", True), ("zxqvab", "zxqvlo", True), ("zxqabc", "zxqvlo", False),
])  # fmt: skip
def test_a_slip_is_one_letter_in_a_short_trigger_and_two_from_six_on(word, trigger, is_one):
    assert is_slip(word, trigger) == is_one


@pytest.mark.parametrize(("word", "other", "most", "steps"), [
    ("", "abc", 3, 3), ("abc", "", 3, 3), ("abc", "abc", 0, 0), ("abc", "acb", 2, 1), ("abcd", "badc", 2, 2), ("kitten", "sitting", 3, 3),
    ("kitten", "sitting", 2, 3), ("abcdef", "a", 2, 3), ("ca", "abc", 3, 3),
])  # fmt: skip
def test_slips_are_counted_up_to_the_most_that_matter(word, other, most, steps):
    assert distance(word, other, most) == distance(other, word, most) == steps


@pytest.mark.parametrize(("name", "parts"), [
    ("Anna Berg", ["Anna", "Berg"]), ("Jo Berg", ["Berg"]), ("Woman Berg", ["Berg"]), ("Ohwx Berg", ["Berg"]), ("Anna Anna", ["Anna"]),
    ("Anna2 van_Berg", ["Anna", "van", "Berg"]), ("", []),
])  # fmt: skip
def test_the_parts_of_a_name_that_would_say_who_it_is(name, parts):
    assert names_of(replace(ABOUT, name=name)) == parts


# -- what was seen otherwise


def look(*faces, **more):
    return Look(eye="e", width=1000, height=1000, faces=faces, **more)


def face(height=300.0, width=200.0, turn=0.0):
    return FaceLook(left=0.0, top=0.0, width=width, height=height, score=0.9, landmarks=(1.0,) * 10, turn=turn)


SEEN = [
    ("ohwx, close-up", look(face(150.0)), 'It says "close-up"; the photo shows about down to the waist.'),
    ("ohwx, close-up", look(face(100.0)), 'It says "close-up"; the photo shows about the full body.'),
    ("ohwx, close-up", look(face(220.0)), None),
    ("ohwx, full body", look(face(400.0)), 'It says "full body"; the photo shows about a close-up.'),
    ("ohwx, full body", look(face(220.0)), 'It says "full body"; the photo shows about the upper body.'),
    ("ohwx, full body", look(face(150.0)), None),
    ("ohwx, two people", look(face()), 'It says "two people"; one face was found.'),
    ("ohwx, two people", look(face(), face(width=80.0)), None),
    ("ohwx, alone", look(face(), face(width=80.0)), 'It says "alone"; 2 faces were found.'),
    ("ohwx, alone", look(face(), face(width=79.0)), None),  # below two fifths of the person's width it is background
    ("ohwx, in profile", look(face(turn=25.0)), 'It says "in profile"; the face is seen about from the front.'),
    ("ohwx, in profile", look(face(turn=27.0)), None),
    ("ohwx, front view", look(face(turn=45.0)), 'It says "front view"; the face is seen about from the side.'),
    ("ohwx, front view", look(face(turn=43.0)), None),
    ("ohwx, from behind", look(face()), 'It says "from behind"; the face is seen.'),
    ("ohwx, from behind", look(face(turn=45.0)), None),
    ("ohwx, monochrome", look(colour=5.0), 'It says "monochrome"; the photo has colours.'),
    ("ohwx, monochrome", look(colour=4.9), None),
    ("ohwx, a red coat", look(colour=2.5), 'It says "red coat"; the photo is about black and white.'),
    ("ohwx, a red coat", look(colour=2.6), None),
    ("ohwx, a red coat", look(), None),
]


@pytest.mark.parametrize(("caption", "seen", "sentence"), SEEN)
def test_what_a_picture_shows_otherwise(caption, seen, sentence):
    assert what_was_seen(caption, seen) == ((sentence,) if sentence else ())


def test_what_was_seen_otherwise_is_one_finding_with_a_line_for_each_photo():
    about = replace(ABOUT, looks={"0001": look(face(100.0)), "0002": look(face())})
    (found,) = audit(items("ohwx, close-up, smiling", "ohwx, two people"), about)
    assert found.message == "2 captions that may say something else than the photo shows (2 photos)."
    assert found.fix == "Look at the picture: it was measured, which is right about nine times in ten."
    assert [detail.about for detail in found.details] == ["0001", "0002"]


@pytest.mark.parametrize(("caption", "sentences"), [
    ("ohwx, a red coat, a blue coat", ('It says "red coat" and "blue coat".',)),
    ("ohwx, at night, in sunlight", ('It says "at night" and "in sunlight".',)),
    ("ohwx, facing left, turned right", ('It says "facing left" and "turned right".',)),
    ("ohwx, eyes closed, looking at the camera", ('It says "eyes closed" and "looking at the camera".',)),
    ("ohwx, no glasses, wearing glasses", ('It says "no glasses" and "wearing glasses".',)),
    ("ohwx, black and white photo, colourful", ('It says "colourful" and "black and white photo".', 'It says "black and white photo" and "colourful".')),
    ("ohwx, back view, front view", ('It says "back view" and "front view".',)),
    ("ohwx, lying in bed, kneeling", ('It says "lying in bed" and "kneeling".',)),
])  # fmt: skip
def test_what_can_not_both_be_so(caption, sentences):
    assert set(contradictions_in(caption)) & set(sentences)


@pytest.mark.parametrize(("answer", "class_noun", "words"), [
    ("standing and sitting", "", "speaks of standing and of sitting"),
    ("no people in a park", "", "says that there is nobody"),
    ("the subject is absent", "", "says that there is nobody"),
    ("a man in a park", "woman", "speaks of a man, and the person is a woman"),
    ("her hat, a lady", "man", "speaks of a woman, and the person is a man"),
    ("a man beside a woman", "woman", ""),
    ("a man in a park", "person", ""),
    ("smiling, in a park", "woman", ""),
])  # fmt: skip
def test_an_answer_that_can_not_be_true_says_why(answer, class_noun, words):
    assert find_contradiction(answer, class_noun) == words


# -- one trigger, one caption


TRIGGERS = [
    ("", "The trigger is empty; invent a word that stands for the person, for example ohwx."),
    ("oh wx", "The trigger holds a space; use one word."),
    ("oh-wx", "The trigger holds signs; use letters and digits only, so that it is found as a whole word."),
    ("12_3", "The trigger is only digits; numbers mean something else in captions. Use letters, for example ohwx."),
    ("ow", "The trigger is too short; use at least 3 letters, so that it means nothing else."),
    ("owx", None),
    ("o" + "wx" * 11 + "q", None),
    ("o" + "wx" * 12, "The trigger has 25 letters; use at most 24."),
    ("Zorblax", 'The trigger is the class noun itself; "zorblax" stands for everyone. Invent another word.'),
    ("OhWx", "The trigger has capital letters, which are read as another word; write ohwx."),
]


@pytest.mark.parametrize(("trigger", "words"), TRIGGERS)
def test_what_is_wrong_with_a_trigger(trigger, words):
    assert [remark.words for remark in check_trigger(trigger, "zorblax")] == ([words] if words else [])


def test_a_real_word_with_capitals_has_two_faults_and_a_proposal():
    first, second = (remark.words for remark in check_trigger("Anna"))
    assert first.startswith('"Anna" is a real word or name, which the model already has a picture of; invent one, for example ')
    assert check_trigger(first.rpartition(" ")[2].rstrip(".")) == []
    assert second == "The trigger has capital letters, which are read as another word; write anna."


ADD = "add what may change: clothes, pose, place, light."
CAPTIONS = [
    ("", ["The caption is empty; write ohwx, then what the person wears and does, then the place and light."]),
    ("in a park", ["The trigger is missing; begin with ohwx."]),
    ("in a park, ohwx", ["The caption does not begin with the trigger; move ohwx to the front."]),
    ("OHWX, in a park", ["The trigger is written OHWX; write ohwx, as everywhere."]),
    ("ohwx, [trigger] in a park", ["[trigger] is a placeholder of another program; write ohwx."]),
    ("ohwx.", [f"The caption says nothing but the trigger; {ADD}"]),
    ("ohwx, the woman", [f"The caption says nothing about the scene; {ADD}"]),
    ("the OHWX", ["The caption does not begin with the trigger; move ohwx to the front.", "The trigger is written OHWX; write ohwx, as everywhere.", f"The caption says nothing about the scene; {ADD}"]),
]  # fmt: skip


@pytest.mark.parametrize(("caption", "words"), CAPTIONS)
def test_what_is_wrong_with_a_caption(caption, words):
    assert [remark.words for remark in check_caption(caption, "ohwx", "woman")] == words


def test_a_caption_may_be_as_long_as_the_limit_and_no_longer():
    most = limits.MAX_CAPTION_CHARACTERS
    whole = "ohwx, " + "a" * (most - 6)
    assert check_caption(whole, "ohwx") == []
    assert [remark.words for remark in check_caption(whole + "b", "ohwx")] == [
        f"The caption has {most + 1} characters; use at most {most}."
    ]


def test_without_a_trigger_an_empty_caption_still_says_what_to_write():
    (remark,) = check_caption("", "")
    assert remark.words == "The caption is empty; write the trigger, then what the person wears and does, then the place and light."


@pytest.mark.parametrize(("caption", "noun", "is_so"), [
    ("ohwx, a woman", "woman", True), ("ohwx, the young woman", "young woman", True), ("ohwx, a woman smiles", "woman", False), ("ohwx", "woman", True),
    ("ohwx, a woman", "", False), ("ohwx, an engineer", "woman", False),
])  # fmt: skip
def test_a_caption_that_only_says_who_it_is_says_nothing(caption, noun, is_so):
    assert says_nothing(caption, "ohwx", noun) == is_so


@pytest.mark.parametrize(("parts", "caption"), [
    (("ohwx", "a woman  smiles. ", " in a park;"), "ohwx, a woman smiles, in a park"), (("ohwx", "", ""), "ohwx"), (("", "a woman", "a park"), "a woman, a park"),
])  # fmt: skip
def test_a_caption_is_put_together_without_stray_signs(parts, caption):
    assert compose_caption(*parts) == caption


@pytest.mark.parametrize(("text", "noun", "filled"), [
    ("[trigger], a [class] in a park", "woman", "ohwx, a woman in a park"),
    ("[trigger], a [class] in a park", "elderly man", "ohwx, an elderly man in a park"),
    ("An [class] and A [class]", "woman", "A woman and A woman"),
    ("a park, another [class]", "engineer", "a park, another engineer"),
])  # fmt: skip
def test_a_prompt_is_filled_with_the_right_article(text, noun, filled):
    assert fill(text, "ohwx", noun) == filled
