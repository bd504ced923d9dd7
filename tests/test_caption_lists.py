"""Lists of captions as people and programs really write them: nothing in a list is lost without a word."""

import hashlib
import io
import json
from pathlib import Path

import pytest
from import_kit import num_accounted
from PIL import Image

from studio.data import dataset
from studio.data.importer import import_media
from studio.data.incoming.import_report import ImportReport


def bring(project, folder: Path, name: str, text: str, photos: str = "ab") -> tuple[ImportReport, dict[str, str]]:
    """(what became of a folder of photos a.jpg, b.jpg with that list beside them, {photo: caption})."""
    names = {}
    (folder := folder / "set").mkdir(exist_ok=True)
    for letter in photos:
        buffer = io.BytesIO()
        Image.new("RGB", (48, 40), (ord(letter) * 40 % 256, 9, 99)).save(buffer, "JPEG")
        (folder / f"{letter}.jpg").write_bytes(buffer.getvalue())
        names[hashlib.sha256(buffer.getvalue()).hexdigest()] = letter
    (folder / name).write_text(text, encoding="utf-8")
    result = import_media(project, [folder])
    return result, {names[item.sha256]: item.caption for item in dataset.list_items(project)}


@pytest.mark.parametrize(
    ("name", "text", "captions"),
    [
        ("m.csv", 'sep=;\nfile_name;text\na.jpg;ohwx, a\nb.jpg;"ohwx; b"\n', {"a": "ohwx, a", "b": "ohwx; b"}),
        ("m.csv", "a.jpg,ohwx, a woman\nb.jpg,ohwx\n", {"a": "ohwx, a woman", "b": "ohwx"}),
        ("m.jsonl", '{"file_name": "a.jpg", "text": "ohwx,\u2028one"}\n{"file_name": "b.jpg", "text": "ohwx,\u0085two"}\n', {"a": "ohwx, one", "b": "ohwx, two"}),
        ("m.json", json.dumps([{"image_path": f"/x/set/{name}.jpg", "caption": f"ohwx, {name}", "repeats": 3} for name in "ab"]), {"a": "ohwx, a", "b": "ohwx, b"}),
        ("m.json", json.dumps([{"path": f"C:\\x\\{name}", "text": f"ohwx, {name}"} for name in "ab"]), {"a": "ohwx, a", "b": "ohwx, b"}),
        ("m.json", json.dumps([{"image": "a.jpg", "llava_caption": "ohwx, a"}, {"image": "b.jpg", "long_caption": "ohwx, b"}]), {"a": "ohwx, a", "b": "ohwx, b"}),
    ],
)  # fmt: skip
def test_a_list_is_read_as_its_program_writes_it(project, tmp_path, name, text, captions):
    result, found = bring(project, tmp_path, name, text)
    assert found == captions and result.notes == [] and result.left_out == []


@pytest.mark.parametrize("header", ["file_name,text", "text,file_name", "file_name,text,width"])
def test_a_caption_whose_commas_stand_without_quotes_is_whole_and_told(project, tmp_path, header):
    caption = "ohwx, a woman, smiling"
    row = {"file_name": "a.jpg", "text": caption, "width": "512"}
    result, found = bring(project, tmp_path, "metadata.csv", f"{header}\n{','.join(row[name] for name in header.split(','))}\n", "a")
    assert found == {"a": caption} and ["more columns" in note.words for note in result.notes] == [True]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.jsonl", '{"file_name": "a.jpg", "text": "ohwx, a"}\n{"file_name": "b.jpg", "score": "5"}\n{"caption": "ohwx, nobody"}\n'),
        ("m.csv", "file_name,text\na.jpg,ohwx a\nb.jpg,\n,ohwx nobody\n"),
        ("m.json", json.dumps({"a.jpg": "ohwx a", "b.jpg": {"en": "ohwx, b"}, "c.jpg": None})),
    ],
)
def test_rows_that_bring_no_caption_are_counted_and_named(project, tmp_path, name, text):
    result, found = bring(project, tmp_path, name, text)
    assert found["a"] and not found["b"]
    assert ["2 of its 3 rows" in note.words and "b.jpg" in note.words for note in result.notes] == [True]


def test_a_damaged_list_and_one_of_other_photos_are_no_texts_that_were_used(project, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "other.json").write_text(json.dumps({"x.jpg": "ohwx, of another folder"}), encoding="utf-8")
    result, found = bring(project, tmp_path, "captions.json", '{\n"a.jpg": "ohwx a",\n}')
    assert found == {"a": "", "b": ""} and result.texts == [] and num_accounted(result) == result.num_given == 4
    said = {group.name.rpartition("/")[2]: group.words for group in result.left_out}
    assert "damaged in line" in said["captions.json"] and "x.jpg" in said["other.json"]
