"""curation.json: files of versions before keep their meaning, sentences have codes beside them, and what is not known is kept."""

import json

import pytest
from PIL import Image

from studio.data import dataset, records, remarks
from studio.data.importer import import_media
from studio.data.remarks import Decision, Remark
from studio.errors import Problem

MEASURED = {
    "version": 1, "phash": "8aa37cffa018cf81", "colours": "80" * 48, "blur": 0.45, "luma": 133.2, "blown": 0.03, "blocks": 1.07,
    "person": {"observer": "075b9ca4c6675ade", "embedding": "AC9jW7TydMhj"},
}  # fmt: skip
SEVERAL = "the pictures seem to show several people, none of them in most; leave out those of other people yourself"
BEFORE_CODES = [  # reason of a version without codes, who decided, codes, which other item it names
    ("blurred in the middle of the picture; too dark to see the person", "curate", ["blur", "dark"], ["", ""]),
    ("shows a different person than the other pictures (likeness 0.31, the others 0.51)", "curate", ["stranger"], [""]),
    ("nearly the same picture as 0001, which is as good or better", "curate", ["twin"], ["0001"]),
    ("24 better or more different ones are kept; of those it is most like clip-03", "curate", ["enough"], ["clip-03"]),
    ("3 better or more different ones are kept", "curate", ["enough"], [""]),
    ("too small: 180 px on the short side", "curate", ["size"], [""]),
    ("left out by you; blurred anyway", "hand", ["by-hand"], [""]),
    ("words of a version that nobody remembers; and more of them", "curate", ["said"], [""]),
    ("", "", [], []),
]


@pytest.fixture
def old(project, tmp_path):
    """A project of the version without codes: its curation.json as that one wrote it, beside the files it is about."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(len(BEFORE_CODES)):
        Image.effect_mandelbrot((80, 64 + n), (-2, -1.5, 1, 1.5), 20 + n).convert("RGB").save(folder / f"{n}.png")
    import_media(project, [folder])
    data = json.loads(project.curation_file.read_bytes())
    for record, (reason, decided_by, *_) in zip(data["items"].values(), BEFORE_CODES):
        record.pop("reasons", None)
        warnings = ["rather dark", "much like 0003", SEVERAL] if reason else []
        record |= {"keep": not reason, "reason": reason, "decided_by": decided_by, "measurements": MEASURED | {"warnings": warnings}}
    data["history"] = [OLD_STEP]
    project.curation_file.write_text(json.dumps(data), encoding="utf-8")
    return project


OLD_STEP = {
    "text": "Leaving out 0001", "time": 1.0, "group": "",
    "changes": [{"op": "keep", "id": "0001", "before": {"keep": True, "reason": "", "decided_by": "", "weight": 3}}],
}  # fmt: skip


def test_the_sentences_of_a_version_before_get_their_codes(old):
    for found, (reason, _, codes, about) in zip(dataset.list_items(old), BEFORE_CODES):
        assert (found.reason, [r.code for r in found.reasons], [r.about for r in found.reasons]) == (reason, codes, about)
        assert [w.code for w in found.measurements.warnings] == (["dark", "alike", "several-people"] if reason else [])
        assert found.measurements.person.observer == "075b9ca4c6675ade" and found.measurements.blur == 0.45


def test_what_a_version_before_wrote_is_undone_and_read_by_it_again(old):
    """Nothing that the version without codes looks for is missing or of another kind after this one wrote the file."""
    before = json.loads(old.curation_file.read_bytes())["items"]
    assert dataset.undo(old) == "Undone: Leaving out 0001."
    now = json.loads(old.curation_file.read_bytes())["items"]
    assert now["0001"]["keep"] is True and now["0001"]["reason"] == ""
    for item_id, record in before.items():
        written = now[item_id]
        assert written.keys() >= record.keys() and {k: type(v) for k, v in record.items()} == {k: type(written[k]) for k in record}
        assert written["measurements"].get("warnings", []) == record["measurements"]["warnings"]
    assert {i: r["reason"] for i, r in now.items() if i != "0001"} == {i: r["reason"] for i, r in before.items() if i != "0001"}


def test_a_reason_that_a_version_before_changed_is_read_as_it_stands_now(old):
    dataset.set_keep(old, "0005", False, "hat")  # codes are written
    data = json.loads(old.curation_file.read_bytes())
    data["items"]["0001"] |= {"reason": "too bright to see the person"}  # and the version before knows only the sentence
    data["items"]["0002"]["measurements"]["warnings"] = []
    old.curation_file.write_text(json.dumps(data), encoding="utf-8")
    first, second = dataset.list_items(old)[:2]
    assert [r.code for r in first.reasons] == ["bright"] and second.measurements.warnings == ()


@pytest.mark.parametrize(("words", "code"), [
    ("a little soft in the middle", "blur"), ("some parts are blown out to white", "blown"), ("JPEG blocks are visible", "blocks"),
    ("rather dark", "dark"), ("too bright to see the person", "bright"), ("small: 480 px on the short side", "size"), (SEVERAL, "several-people"),
])  # fmt: skip
def test_sentences_of_the_versions_without_codes_are_known(words, code):
    assert remarks.code_sentence(words)["code"] == code


def test_a_better_wording_changes_no_decision():
    same = [Decision(keep=False, reasons=(Remark(code="twin", words=words, about="0001"),)) for words in ("a twin of 0001", "like 0001")]
    assert same[0].same_as(same[1])
    assert not same[0].same_as(Decision(keep=False, reasons=(Remark(code="twin", words="a twin of 0001", about="0002"),)))
    assert not same[0].same_as(Decision())


def test_what_another_version_wrote_beside_is_kept(old):
    data = json.loads(old.curation_file.read_bytes())
    data["later"], data["items"]["0002"]["stars"], data["items"]["0002"]["measurements"]["smile"] = [1], 5, 0.3
    old.curation_file.write_text(json.dumps(data), encoding="utf-8")
    dataset.set_keep(old, "0002", True)
    now = json.loads(old.curation_file.read_bytes())
    assert (now["later"], now["items"]["0002"]["stars"], now["items"]["0002"]["measurements"]["smile"]) == ([1], 5, 0.3)
    assert now["history"][0]["changes"][0]["before"]["weight"] == 3


@pytest.mark.parametrize("damage", [
    lambda data: data["items"].update({"0001": 3}),
    lambda data: data["items"]["0001"].pop("file"),
    lambda data: data["items"]["0001"].update(width="wide"),
    lambda data: data["items"]["0001"]["measurements"].update(warnings=3),
    lambda data: data["history"][0]["changes"][0].update(op="turn"),
    lambda data: data.update(history=[3]),
    lambda data: data.update(history=[{"text": "x", "time": 1, "changes": [3]}]),
])  # fmt: skip
def test_a_damaged_record_is_said_in_words(old, damage):
    data = json.loads(old.curation_file.read_bytes())
    damage(data)
    old.curation_file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(Problem, match="of anna is damaged"):
        dataset.list_items(old)


def test_a_file_of_a_newer_studio_is_left_alone(old):
    data = json.loads(old.curation_file.read_bytes()) | {"format": 99}
    old.curation_file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(Problem, match="newer version"):
        dataset.set_keep(old, "0001", True)
    assert json.loads(old.curation_file.read_bytes()) == data


def test_a_record_is_read_as_it_was_written(old):
    data = records.load(old)
    records.save(old, data)
    assert records.load(old) == data and len(data.items) == len(BEFORE_CODES)
