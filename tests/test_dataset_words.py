"""What the Dataset tab says, sentence by sentence: the next step, how jobs ended, what the captions lack, what is known of one picture."""

from dataclasses import replace

import pytest
from people_kit import make_face, make_item, make_look
from PIL import Image

from studio.data import dataset, limits
from studio.data import remarks as said
from studio.data.auditing.audit import audit
from studio.data.auditing.finding import About
from studio.data.captions.caption_report import CaptionNote, CaptionReport
from studio.data.captions.edits import CaptionEdit, plan_edit
from studio.data.coverage.study import study_items
from studio.data.importer import import_media
from studio.data.incoming.import_report import Duplicate, FileNote, ImportReport, LeftOut, Question, ReadAs
from studio.data.pieces.piece_facts import Span
from studio.data.pieces.piece_report import VideoReport
from studio.data.remarks import Remark
from studio.ui.dataset import view
from studio.ui.dataset.audit_view import describe as describe_finding
from studio.ui.dataset.audit_view import named
from studio.ui.dataset.bulk_view import diff, notes_of, warning_of
from studio.ui.dataset.caption_rows import remarks_by_item
from studio.ui.dataset.clip_view import bands_of, clock, describe_part
from studio.ui.dataset.job_results import MOST_LINES, caption_groups, import_groups
from studio.ui.dataset.pictures.choices import describe_choice, is_choice
from studio.ui.dataset.pictures.closer_look import look_closer, say_who
from studio.ui.dataset.pictures.reasons import reason_on_tile

# -- how an import ended


def told(groups):
    return [(group.title, group.count, [line.text for line in group.lines], group.more) for group in groups]


def test_every_part_of_an_import_has_its_group_in_the_order_of_what_has_to_be_done():
    report = ImportReport(
        asked=[Question(name="masks", words="these may be masks", code="masks", files=("a.png", "b.png"))],
        rejected=[FileNote("broken.jpg", "it is damaged")],
        left_out=[LeftOut(name="notes.txt", words="it holds no captions", code="text", files=("notes.txt",))],
        duplicates=[Duplicate("same.jpg", "0003")],
        videos=[VideoReport(name="walk.mp4", seconds=4.0, item="clip-01", spans=(Span(start=0, end=4, code="nobody"),))],
        notes=[FileNote("wide.jpg", "it was turned upright")],
    )
    groups = import_groups(report, "Anna")
    assert told(groups) == [
        ("Please say what these are", 1, ["masks (2 files): these may be masks."], 0),
        ("Could not be used", 1, ["broken.jpg: It is damaged."], 0),
        ("Left out", 1, ["notes.txt: It holds no captions."], 0),
        ("Already there", 1, ["same.jpg is the same as item 0003."], 0),
        ("Long clips, second by second", 1, ["walk.mp4: No piece of it could be found. 4.0 s are left out: nobody is seen (4.0 s)."], 0),
        ("Good to know", 1, ["wide.jpg: It was turned upright."], 0),
    ]
    assert [group.lines[0].item for group in groups] == ["", "", "", "0003", "clip-01", ""]
    assert [group.lines[0].files for group in groups] == [("a.png", "b.png"), (), (), (), (), ()]
    assert import_groups(ImportReport(), "Anna") == []


def buttons(line):
    return [(choice.label, choice.name, choice.take, choice.encoding) for choice in line.answers]


QUESTIONS = [
    (Question(name="masks", words="?", code="masks", files=("a.png",)), [("They show Anna", True, ""), ("Leave them out", False, "")]),
    (Question(name="all.txt", words="?", code="caption-for-all", files=("all.txt",)), [("It is their caption", True, ""), ("Leave it out", False, "")]),
    (
        Question(name="old.txt", words="?", code="encoding", files=("old.txt",), readings=(ReadAs(encoding="cp1252", sample="Zoë"), ReadAs(encoding="cp1251", sample="Zoл"))),
        [("cp1252: Zoë", True, "cp1252"), ("cp1251: Zoл", True, "cp1251"), ("Leave out", False, "")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("question", "answers"), QUESTIONS)
def test_what_an_import_asks_can_be_answered_by_a_press(question, answers):
    (group,) = import_groups(ImportReport(asked=[question]), "Anna")
    assert buttons(group.lines[0]) == [(label, question.name, take, encoding) for label, take, encoding in answers]


@pytest.mark.parametrize(("can_come", "labels"), [(True, ["Take them in"]), (False, [])])
def test_what_was_left_out_can_be_taken_in_where_it_is_pictures(can_come, labels):
    part = LeftOut(name="reg", words="other people", code="class", files=("reg/1.jpg", "reg/2.jpg"), can_come=can_come)
    (group,) = import_groups(ImportReport(left_out=[part]), "Anna")
    assert [label for label, _, _, _ in buttons(group.lines[0])] == labels


def test_of_many_lines_and_files_the_rest_is_counted():
    many = MOST_LINES + 3
    (group,) = import_groups(ImportReport(rejected=[FileNote(f"{n}.jpg", "no") for n in range(many)]), "Anna")
    assert (group.count, len(group.lines), group.more) == (many, MOST_LINES, 3)
    part = LeftOut(name="reg", words="others", code="class", files=tuple(f"{n}.jpg" for n in range(many)))
    (group,) = import_groups(ImportReport(left_out=[part]), "Anna")
    assert group.lines[0].files[-2:] == (f"{MOST_LINES - 1}.jpg", "and 3 more")
    exact = replace(part, files=part.files[:MOST_LINES])
    assert import_groups(ImportReport(left_out=[exact]), "Anna")[0].lines[0].files[-1] == f"{MOST_LINES - 1}.jpg"


# -- how captioning ended


def test_what_the_captioner_said_is_shown_where_it_was_no_use_and_can_be_asked_again():
    notes = (
        CaptionNote(id="0001", file="a.jpg", text="it names no clothes", code="refused", answer="I can't help"),
        CaptionNote(id="0002", file="b.jpg", text="it is empty", code="refused"),
        CaptionNote(id="0003", file="c.jpg", text="it was shortened", code="written"),
        CaptionNote(id="", file="", text="two words for one coat", code="remark"),
    )
    groups = caption_groups(CaptionReport(notes=notes))
    assert told(groups) == [
        ("The captioner's answer was no use", 2, ["0001: It names no clothes. It said: I can't help", "0002: It is empty."], 0),
        ("Please look at these", 2, ["0003: It was shortened.", "Two words for one coat."], 0),
    ]
    assert buttons(groups[0].lines[1]) == [("Ask again", "0002", True, "")] and groups[1].lines[0].item == "0003"
    assert caption_groups(CaptionReport(written=3)) == []


# -- what the captions lack


ABOUT = About(trigger="ohwx", class_noun="woman", name="Anna")


def captioned(*captions):
    look = make_look(make_face())
    return [make_item(f"{n:04d}", look, caption=words) for n, words in enumerate(captions, 1)]


def test_a_finding_is_told_with_its_items_its_lines_and_its_buttons(project):
    items = captioned(*["ohwx, standing, sitting"] * 6)
    found = {finding.code: describe_finding(project, finding, items) for finding in audit(items, ABOUT)}
    own = found["contradiction"]
    assert own.text == "6 captions that seem to contradict themselves (6 photos)." and own.about == "0001, 0002, 0003, 0004 and 2 more"
    assert own.details == tuple(f'{n:04d}: It says "standing" and "sitting".' for n in range(1, 5)) and own.more == 2
    assert (own.edit, own.show, own.shows_first, own.cause, own.pictures) == ("", "Show them", True, "", ())
    more = captioned(*(f"ohwx, a red coat, in a {place}" for place in ("park", "street", "beach", "forest", "garden")))
    (fused,) = (describe_finding(project, finding, more) for finding in audit(more, ABOUT))
    assert (fused.about, fused.edit, fused.show, fused.shows_first) == ("", "Edit these captions", "Show them", False)


def test_where_the_photos_are_to_blame_they_are_shown_first(project):
    captions = [
        f"ohwx, a red coat, {place}"
        for place in ("park", "street", "beach", "office", "stage", "forest", "station", "library", "garden", "kitchen")
    ]
    items = captioned(*captions)
    about = replace(ABOUT, outfits=dict.fromkeys((item.id for item in items), 1))
    (finding,) = audit(items, about)
    told = describe_finding(project, finding, items)
    assert (told.cause, told.show, told.shows_first, len(told.pictures)) == ("change photos", "Show these photos", True, 8)
    assert describe_finding(project, finding, []).show == "" and describe_finding(project, finding, []).pictures == ()


@pytest.mark.parametrize(("count", "words"), [
    (0, ""), (1, "0000"), (4, "0000, 0001, 0002, 0003"), (5, "0000, 0001, 0002, 0003 and 1 more"), (20, "0000, 0001, 0002, 0003 and 16 more"), (21, ""),
])  # fmt: skip
def test_some_items_are_named_and_many_are_not(count, words):
    assert named([f"{n:04d}" for n in range(count)]) == words


def test_beside_a_caption_stands_what_is_said_of_it_and_not_what_is_said_of_all():
    items = captioned("ohwx, in a park", "ohwx in a park", "ohwx, with ohxw, indoors, outdoors", *["ohwx, a red coat, on a stage"] * 2)
    by_item = remarks_by_item(tuple(audit(items, ABOUT)))
    assert by_item["0001"] == ("The same caption as 0002.",) and by_item["0002"] == ("The same caption as 0001.",)
    assert by_item["0003"] == ('"ohxw": Replace ohxw by ohwx in all captions.', 'It says "indoors" and "outdoors".')
    assert by_item["0004"] == ("The same caption as 0005.",)


# -- one edit for many captions


def parts(before, after):
    return [(part.kind, part.text) for part in diff(before, after)]


@pytest.mark.parametrize(("before", "after", "shown"), [
    ("a red coat", "a blue coat", [("same", "a "), ("out", "red"), ("in", "blue"), ("same", " coat")]),
    ("a red wool coat", "a blue silk coat", [("same", "a "), ("out", "red wool"), ("in", "blue silk"), ("same", " coat")]),
    ("ohwx", "ohwx, a hat", [("same", "ohwx"), ("in", ", a hat")]),
    ("ohwx, a hat", "ohwx", [("same", "ohwx"), ("out", ", a hat")]),
    ("红外套", "蓝外套", [("out", "红"), ("in", "蓝"), ("same", "外套")]),
    ("same words", "same words", [("same", "same words")]),
])  # fmt: skip
def test_what_goes_and_what_comes_is_told_word_by_word(before, after, shown):
    assert parts(before, after) == shown


def test_what_an_edit_leaves_alone_is_said():
    items = captioned("ohwx, a hat", "", "", "ohwx " + "a" * (limits.MAX_CAPTION_CHARACTERS - 5))
    plan = plan_edit(items, CaptionEdit(kind="replace", find="ohwx", text="somebody"), "ohwx")
    assert notes_of(plan) == ("2 items without a caption stay so.", "0004: the caption would be too long, and stays as it is.")
    assert warning_of(plan) == "1 caption would lose the trigger."
    few = plan_edit(items[:2], CaptionEdit(kind="end", text="smiling"), "ohwx")
    assert (notes_of(few), warning_of(few)) == (("1 item without a caption stay so.",), "")


# -- clips


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0:00.0"),
        (62.5, "1:02.5"),
        (599.94, "9:59.9"),
        (599.96, "10:00.0"),
        (3599.97, "1:00:00.0"),
        (7804.0, "2:10:04.0"),
        (3600, "1:00:00.0"),
    ],
)
def test_a_time_in_a_clip_is_read_as_on_a_clock(seconds, words):
    assert clock(seconds) == words


def test_a_line_of_time_says_what_each_stretch_is():
    spans = (Span(start=0, end=5, code="taken"), Span(start=5, end=65.5, code="nobody"))
    bands = bands_of(VideoReport(name="walk.mp4", seconds=65.5, spans=spans))
    assert [(band.start, band.end, band.is_piece, band.words) for band in bands] == [
        (0, 5, True, "a piece, 0:00.0 to 0:05.0"), (5, 65.5, False, "nobody is seen, 0:05.0 to 1:05.5"),
    ]  # fmt: skip


def test_a_piece_says_of_which_film_it_is():
    look = make_look()
    assert describe_part(make_item("clip-02", look, part=(5.0, 70.5), original="walk.mp4")) == "0:05.0 to 1:10.5 of walk.mp4"
    assert describe_part(make_item("clip-01", look)) == ""


# -- which pictures are shown


@pytest.mark.parametrize(("show", "words"), [
    ("kept/angle:left+framing:close", "Kept: half turned left, close-up"),
    ("out/place:2", "Left out: about one place"),
    ("all/who:stranger", "Somebody else"),
    ("all/who:look", "Perhaps somebody else"),
    ("kept/group:1", "Kept: one face"),
    ("kept/light:warm", "Kept: light: warm"),
    ("kept/outfit:0", "Kept: about one outfit"),
])  # fmt: skip
def test_a_choice_of_pictures_is_called_by_what_they_show(show, words):
    assert is_choice(show) and describe_choice(show) == words


@pytest.mark.parametrize(
    "show", ["", "some", "kept", "kept/", "kept/angle:", "kept/angle:sideways", "here/angle:left", "kept/id:0001", "kept/angle:left+who:"]
)
def test_a_choice_of_a_page_that_is_older_is_none(show):
    assert is_choice(show) == (show == "kept")


TILES = [
    (dict(keep=False, reasons=(Remark(code=said.BLUR, words="the face is blurred"),)), "blurred"),
    (dict(keep=False, reasons=(Remark(code=said.TWIN, words="", about="0012"),)), "twin of 12"),
    (dict(keep=False, reasons=(Remark(code=said.TWIN, words="", about="0000"),)), "twin of another"),
    (dict(keep=False, reasons=(Remark(code=said.TWIN, words=""),)), "twin of another"),
    (dict(keep=False), "left out"),
    (dict(keep=False, reasons=(Remark(code="of-tomorrow", words="?"),)), "left out"),
    (dict(keep=True), ""),
]


@pytest.mark.parametrize(("fields", "words"), TILES)
def test_a_tile_says_in_two_words_why_it_is_left_out(fields, words):
    assert reason_on_tile(make_item("0001", make_look(), **fields)) == words


# -- one picture


def closer(project, look, wanted=768, **fields):
    item = make_item("0001", look, **fields)
    return look_closer(project, item, study_items([item], {item.id: look}, wanted), [item], (wanted, 16))


def test_what_was_measured_of_a_picture_is_told_with_its_limits(project):
    look = make_look(make_face(width=240, blur=0.7, mouth=0.07), size=(1600, 1200))
    figures = [(figure.name, figure.value, figure.is_beyond) for figure in closer(project, look).figures]
    assert figures[:5] == [
        ("Face", "240 x 300 px", False), ("Mouth", "open", False), ("Angle", "from the front", False), ("Framing", "upper body", False),
        ("Who", "the face could not be compared", False),
    ]  # fmt: skip
    assert ("Blur of the face", "blur 0.70 of 1; up to 0.66 is sharp enough", True) in figures
    assert ("Width of the face", "the face is 240 px wide; at least 64 are needed", False) in figures
    assert figures[-1] == ("Light", "about neutral", False) and not any(name == "Faces" for name, _, _ in figures)
    shut = make_look(make_face(width=240, mouth=0.06), make_face(1, at=(900, 100), width=90), size=(1600, 1200))
    figures = {figure.name: figure.value for figure in closer(project, shut).figures}
    assert (figures["Mouth"], figures["Faces"]) == ("closed", "2")


def test_a_picture_that_nobody_looked_at_says_what_does_it(project):
    look = make_look()
    item = make_item("0001", look)
    found = look_closer(project, item, study_items([item], {}, 768), [item], (768, 16))
    assert found.not_measured == "Not measured yet: Check photos does it." and found.figures == () and not found.asks_who


TRAINED = [  # size, width of the face, what training makes of it, what is remarked
    ((1024, 1024), 260, ["768 x 768 px", "scaled to 75%", "nothing is cut off", "the face is 195 px wide then"], []),
    ((768, 768), 200, ["768 x 768 px", "the photo as large as it is", "nothing is cut off", "the face is 200 px wide then"], []),
    ((400, 400), 100, ["400 x 400 px", "the photo as large as it is", "nothing is cut off", "the face is 100 px wide then"], ["Smaller than the 768 x 768 px of this recipe: it is never enlarged, and teaches less detail."]),
    ((2048, 2048), 160, ["768 x 768 px", "scaled to 38%", "nothing is cut off", "the face is 60 px wide then"], ["A face below 64 px teaches little of its detail; a part closer to the person helps."]),
]  # fmt: skip


@pytest.mark.parametrize(("size", "width", "words", "remarks"), TRAINED)
def test_what_training_makes_of_a_photo_is_told(project, size, width, words, remarks):
    look = make_look(make_face(width=float(width), at=(100, 100)), size=size)
    trained = closer(project, look).trained
    assert (list(trained.text), list(trained.remarks)) == (words, remarks)
    assert (trained.left, trained.top, trained.width, trained.height) == (0, 0, 100, 100)


def test_a_photo_can_be_turned_and_only_one_with_room_be_cut_closer(project):
    far = closer(project, make_look(make_face(width=200, at=(900, 500)), size=(2400, 2400)))
    assert [(change.name, change.label) for change in far.changes] == [
        ("closer:close", "Closer: close-up"), ("closer:upper", "Closer: upper body"), ("turn-left", "Turn left"), ("turn-right", "Turn right"),
        ("mirror", "Mirror"),
    ]  # fmt: skip
    near = closer(project, make_look(make_face(width=500, at=(200, 200))))
    assert [change.name for change in near.changes] == ["turn-left", "turn-right", "mirror"]
    two = closer(project, make_look(make_face(width=300, at=(100, 300)), make_face(1, at=(1000, 300), width=200), size=(1400, 1000)))
    assert two.changes[0].label == "Only the person"
    assert closer(project, make_look(), kind="clip").changes == () and closer(project, make_look(), problem="damaged").changes == ()


@pytest.mark.parametrize(("who", "words"), [
    ("person", "the person"), ("look", "perhaps somebody else: please look"), ("stranger", "somebody else"), ("cant-tell", "who it is can't be told"),
    ("nobody", "no face is seen"),
])  # fmt: skip
def test_who_a_photo_shows_in_words(who, words):
    assert say_who(who) == words


# -- the next step


def import_drawings(project, count, folder):
    folder.mkdir()
    for number in range(count):
        Image.effect_mandelbrot((300, 300), (-2 + number / 19, -1.5, 1, 1.5), 40).convert("RGB").save(folder / f"{number:02d}.png")
    import_media(project, sorted(folder.glob("*.png")))


def step(project):
    found = view.next_step(project)
    return found.text, found.reason, found.button.name if found.button else ""


def test_one_step_follows_the_other_from_nothing_to_training(project, tmp_path):
    assert step(project) == ("add 10 to 30 varied photos of the person, or 12 to 20 clips of 4 to 8 seconds.", "", "upload")
    import_drawings(project, 5, tmp_path / "five")
    found = step(project)
    assert (
        found[0] == "have 5 photos checked."
        and found[1].endswith("are found before you write captions for them.")
        and found[2] == "check-photos"
    )
    dataset.remove_item(project, "0005")
    assert step(project)[0] == "write captions for 4 photos."
    for number in range(1, 5):
        dataset.set_caption(project, f"{number:04d}", f"ohwx, a person by tree {number}")
    assert step(project) == (
        "train, or add more photos.",
        "4 photos can be trained; 10 to 30 varied photos give a better likeness.",
        "open-train",
    )
    dataset.set_caption(project, "0002", "a person by a tree")
    assert step(project) == (
        "look at 1 caption with a remark, beginning with 0002.",
        "The trigger is missing; begin with ohwx.",
        "see-remarks",
    )
    for number in range(1, 5):
        dataset.set_keep(project, f"{number:04d}", False)
    assert step(project) == ("keep some photos: everything is left out, so there is nothing to train with.", "", "")


def test_with_ten_captioned_photos_the_next_step_is_training(project, tmp_path):
    import_drawings(project, 10, tmp_path / "ten")
    for number in range(1, 11):
        dataset.set_caption(project, f"{number:04d}", f"ohwx, a person by tree {number}")
    assert step(project) == ("train with 10 photos.", "", "open-train")
    look = view.look_at(project)
    assert view.counters(look.items, look.kept) == ("10 of 10 kept", "10 with a caption")


def test_numbers_of_what_is_kept_count_seconds_and_captions():
    look = make_look()
    clip = dict(kind="clip", seconds=4.6)
    items = [make_item("0001", look, caption="ohwx"), make_item("clip-01", look, **clip), make_item("clip-02", look, keep=False, **clip)]
    kept = [item for item in items if item.keep]
    assert view.counters(items, kept) == ("2 of 3 kept", "5 s of clips", "1 with a caption")
    assert [view.count_media(some) for some in ([], items[:1], items[1:], items)] == [
        "nothing",
        "1 photo",
        "2 clips",
        "1 photo and 2 clips",
    ]
