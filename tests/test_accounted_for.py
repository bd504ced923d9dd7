"""Every file that was given is accounted for: the folders of other trainers, made here, and what becomes of each file and caption in them."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from import_kit import num_accounted
from PIL import Image

from studio.data import dataset
from studio.data.importer import import_media
from studio.data.incoming.import_report import ImportReport
from studio.data.incoming.sorting import Answers

PHOTO = "a photo"


@dataclass(frozen=True)
class Convention:
    """A folder as some trainer has it. photos: {path: caption}; out and asked: what is left out, and what the person is asked about."""

    files: dict[str, str | bytes]
    photos: dict[str, str]
    out: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    texts: int = 0  # files that captions were read from


def photo(path: str) -> bytes:
    """A picture that no other path has."""
    colour = tuple(hashlib.sha256(path.encode()).digest()[:3])
    buffer = io.BytesIO()
    Image.new("RGB", (48, 40), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def with_captions(*paths: str, of: str = "ohwx, {}") -> dict[str, str | bytes]:
    """Photos with a text beside each."""
    return dict.fromkeys(paths, PHOTO) | {Path(path).with_suffix(".txt").as_posix(): of.format(path) for path in paths}


def captions(*paths: str) -> dict[str, str]:
    return {path: f"ohwx, {path}" for path in paths}


def lines(*rows: dict) -> str:
    return "\n".join(json.dumps(row) for row in rows)


KOHYA_TOML = """
[[datasets]]
  [[datasets.subsets]]
  image_dir = 'C:\\train\\photos'
  class_tokens = "ohwx woman"
  [[datasets.subsets]]
  image_dir = 'C:\\train\\friends'
  is_reg = true
"""

AI_TOOLKIT_JOB = """
config:
  process:
  - datasets:
    - {folder_path: /home/me/photos, control_path: /home/me/guides, mask_path: /home/me/greys, num_repeats: 3}
    - {folder_path: /home/me/friends, is_reg: true}
"""
SIMPLETUNER_BACKENDS = [
    {"id": "photos", "instance_data_dir": "/x/photos", "repeats": 4},
    {"id": "lines", "dataset_type": "conditioning", "instance_data_dir": "/x/lines"},
    {"id": "friends", "instance_data_dir": "/x/friends", "is_regularisation_data": True},
]
ONETRAINER_CONCEPTS = [
    {"path": "D:\\x\\photos", "type": "STANDARD", "balancing": 3.0, "text": {"prompt_source": "filename"}},
    {"path": "D:\\x\\friends", "type": "PRIOR_PREDICTION", "text": {"prompt_source": "sample"}},
]

CONVENTIONS = {
    "AI Toolkit, its job says which folders are of others": Convention(
        with_captions("photos/1.jpg", "friends/2.jpg") | {"guides/1.jpg": PHOTO, "greys/1.jpg": PHOTO, "job.yaml": AI_TOOLKIT_JOB},
        captions("photos/1.jpg"), out={"friends/2.jpg", "friends/2.txt", "guides/1.jpg", "greys/1.jpg", "job.yaml"}, texts=1,
    ),
    "SimpleTuner, its backends say which folders are of others": Convention(
        with_captions("photos/1.jpg", "friends/2.jpg") | {"lines/1.jpg": PHOTO, "multidatabackend.json": json.dumps(SIMPLETUNER_BACKENDS)},
        captions("photos/1.jpg"), out={"friends/2.jpg", "friends/2.txt", "lines/1.jpg", "multidatabackend.json"}, texts=1,
    ),
    "OneTrainer, captions are the files' names, and one concept is of others": Convention(
        with_captions("friends/2.jpg") | {"photos/ohwx in the rain.jpg": PHOTO, "concepts.json": json.dumps(ONETRAINER_CONCEPTS)},
        {"photos/ohwx in the rain.jpg": "ohwx in the rain"}, out={"friends/2.jpg", "friends/2.txt"}, texts=1,
    ),
    "one name for the folder of the person and of others": Convention(
        with_captions("train/images/1.jpg", "others/images/2.jpg") | {
            "set.toml": '[[datasets]]\nimage_directory = "/x/train/images"\n[[datasets]]\nimage_directory = "/x/others/images"\nis_reg = true\n',
        },
        captions("train/images/1.jpg"), out={"others/images/2.jpg", "others/images/2.txt", "set.toml"}, texts=1,
    ),
    "musubi, its rows name pictures that guide": Convention(
        {
            "images/1.jpg": PHOTO, "extra/1.jpg": PHOTO,
            "rows.jsonl": lines({"image_path": "/x/images/1.jpg", "control_path_0": "/x/extra/1.jpg", "caption": "ohwx, one"}),
        },
        {"images/1.jpg": "ohwx, one"}, out={"extra/1.jpg"}, texts=1,
    ),
    "kohya, its list says which folder is of others": Convention(
        with_captions("photos/1.jpg", "friends/2.jpg") | {"dataset.toml": KOHYA_TOML},
        captions("photos/1.jpg"), out={"friends/2.jpg", "friends/2.txt", "dataset.toml"}, texts=1,
    ),
    "diffusion-pipe, its list says which folder holds masks": Convention(
        with_captions("photos/1.jpg") | {
            "greys/1.jpg": PHOTO, "dataset.toml": '[[directory]]\npath = "/mnt/d/photos"\nmask_path = "/mnt/d/greys"\n',
        },
        captions("photos/1.jpg"), out={"greys/1.jpg", "dataset.toml"}, texts=1,
    ),
    "musubi, its list says which folder guides": Convention(
        with_captions("photos/1.jpg", "extra/1.jpg") | {
            "set.toml": '[[datasets]]\nimage_directory = "photos"\ncontrol_directory = "extra"\ncache_directory = "photos"\n',
        },
        captions("photos/1.jpg"), out={"extra/1.jpg", "extra/1.txt", "set.toml"}, texts=1,
    ),
    "kohya, regularisation": Convention(
        with_captions("img/10_ohwx woman/1.jpg", "img/10_ohwx woman/2.jpg", "reg/1_woman/1.jpg"),
        captions("img/10_ohwx woman/1.jpg", "img/10_ohwx woman/2.jpg"),
        out={"reg/1_woman/1.jpg", "reg/1_woman/1.txt"}, texts=2,
    ),
    "kohya, another class beside": Convention(
        with_captions("img/10_ohwx woman/1.jpg", "img/1_woman/r1.jpg", "img/5_a dog/d.jpg"),
        captions("img/10_ohwx woman/1.jpg"),
        out={"img/1_woman/r1.jpg", "img/1_woman/r1.txt"}, asked={"img/5_a dog/d.jpg", "img/5_a dog/d.txt"}, texts=1,
    ),
    "kohya, trained": Convention(
        with_captions("10_ohwx/1.jpg") | {
            "10_ohwx/1.npz": b"x", "10_ohwx/meta_lat.json": json.dumps({"1": {"train_resolution": [512, 512]}}), "model/ohwx.safetensors": b"x",
            "sample/ohwx_000100_00_20240101120000_42.png": PHOTO, "log/events.out": b"x", "config.toml": "a = 1",
        },
        captions("10_ohwx/1.jpg"), texts=1,
        out={
            "10_ohwx/1.npz", "10_ohwx/meta_lat.json", "model/ohwx.safetensors", "sample/ohwx_000100_00_20240101120000_42.png", "log/events.out",
            "config.toml",
        },
    ),
    "kohya, a list of captions": Convention(
        {"img/1.jpg": PHOTO, "img/2.jpg": PHOTO, "img/meta_cap.json": json.dumps({"1": {"caption": "ohwx, one"}, "2": {"tags": "ohwx, two"}})},
        {"img/1.jpg": "ohwx, one", "img/2.jpg": "ohwx, two"}, texts=1,
    ),
    "AI Toolkit": Convention(
        with_captions("t1.jpg") | {
            "t2.jpg": PHOTO, "t2.json": json.dumps({"caption": "ohwx, of t2", "caption_short": "short"}), ".aitk_size.json": "{}",
            "_controls/t1.pose.jpg": PHOTO, ".thumbs/t1.jpg": PHOTO, "_latent_cache/t1_abc.safetensors": b"x",
        },
        captions("t1.jpg") | {"t2.jpg": "ohwx, of t2"}, texts=2,
        out={".aitk_size.json", "_controls/t1.pose.jpg", ".thumbs/t1.jpg", "_latent_cache/t1_abc.safetensors"},
    ),
    "AI Toolkit, control and masks": Convention(
        with_captions("set/a.jpg", "set/b.jpg") | {f"{folder}/{name}.png": PHOTO for folder in ("control", "masks") for name in "ab"},
        captions("set/a.jpg", "set/b.jpg"), texts=2, out={f"{folder}/{name}.png" for folder in ("control", "masks") for name in "ab"},
    ),
    "AI Toolkit, its output beside": Convention(
        with_captions("data/a.jpg") | {"output/ohwx/samples/1719999999999__000000250_0.jpg": PHOTO, "output/ohwx/ohwx.safetensors": b"x"},
        captions("data/a.jpg"), texts=1, out={"output/ohwx/samples/1719999999999__000000250_0.jpg", "output/ohwx/ohwx.safetensors"},
    ),
    "kohya, conditioning": Convention(
        with_captions("train/a.jpg", "train/b.jpg") | {"conditioning_data_dir/a.png": PHOTO, "conditioning_data_dir/b.png": PHOTO},
        captions("train/a.jpg", "train/b.jpg"), texts=2, out={"conditioning_data_dir/a.png", "conditioning_data_dir/b.png"},
    ),
    "OneTrainer": Convention(
        with_captions("p.jpg") | {"p-masklabel.png": PHOTO, "p-condlabel.png": PHOTO},
        captions("p.jpg"), texts=1, out={"p-masklabel.png", "p-condlabel.png"},
    ),
    "OneTrainer, one prompt for all": Convention(
        {
            "ohwx/1.jpg": PHOTO, "ohwx/2.jpg": PHOTO, "prompts/ohwx.txt": "ohwx, a photo\nohwx, a picture",
            "concepts.json": json.dumps([
                {"name": "x", "path": "D:\\train\\ohwx", "text": {"prompt_source": "concept", "prompt_path": "D:\\train\\prompts\\ohwx.txt"}}
            ]),
        },
        {"ohwx/1.jpg": "ohwx, a photo", "ohwx/2.jpg": "ohwx, a photo"}, texts=2,
    ),
    "a prompt for all, and nobody says so": Convention(
        {"1.jpg": PHOTO, "2.jpg": PHOTO, "prompt.txt": "a photo of ohwx"}, {"1.jpg": "", "2.jpg": ""}, asked={"prompt.txt"},
    ),
    "musubi": Convention(
        {
            "images/m1.jpg": PHOTO, "images/m2.jpg": PHOTO, "control/m1_0.png": PHOTO, "control/m2_0.png": PHOTO, "cache/m1_wan.safetensors": b"x",
            "metadata.jsonl": lines(
                {"image_path": "C:/data/images/m1.jpg", "control_path": "C:/data/control/m1_0.png", "caption": "ohwx, m1"},
                {"image_path": "C:\\data\\images\\m2.jpg", "caption": "ohwx, m2"},
            ),
            "sample/ohwx_e000010_00_20240101120000.png": PHOTO, "dataset.toml": "a = 1",
        },
        {"images/m1.jpg": "ohwx, m1", "images/m2.jpg": "ohwx, m2"}, texts=1,
        out={
            "control/m1_0.png", "control/m2_0.png", "cache/m1_wan.safetensors", "sample/ohwx_e000010_00_20240101120000.png", "dataset.toml",
        },
    ),
    "diffusion-pipe": Convention(
        {
            "d1.jpg": PHOTO, "d2.jpg": PHOTO, "captions.json": json.dumps({"d1.jpg": ["ohwx, d1", "ohwx, in other words"], "d2.jpg": "ohwx, d2"}),
            "mask/d1.png": PHOTO, "mask/d2.png": PHOTO, "cache/wan/x": b"x",
        },
        {"d1.jpg": "ohwx, d1", "d2.jpg": "ohwx, d2"}, texts=1, out={"mask/d1.png", "mask/d2.png", "cache/wan/x"},
    ),
    "the hub": Convention(
        {"train/h1.jpg": PHOTO, "train/metadata.jsonl": lines({"file_name": "h1.jpg", "text": "ohwx, h1"}), "README.md": "x"},
        {"train/h1.jpg": "ohwx, h1"}, texts=1, out={"README.md"},
    ),
    "the hub, one list above": Convention(
        {
            "metadata.csv": 'file_name,text\ntrain/1.jpg,"ohwx, in train"\ntest/1.jpg,"ohwx, in test"\ntrain/gone.jpg,"ohwx, gone"\n',
            "train/1.jpg": PHOTO, "test/1.jpg": PHOTO,
        },
        {"train/1.jpg": "ohwx, in train", "test/1.jpg": "ohwx, in test"}, texts=1,
    ),
    "DiffSynth": Convention(
        {"metadata.csv": 'image,prompt\na.jpg,"ohwx, a"\n', "a.jpg": PHOTO, "metadata_kontrol.csv": "x;y\n1;2\n"},
        {"a.jpg": "ohwx, a"}, texts=1, out={"metadata_kontrol.csv"},
    ),
    "SimpleTuner": Convention(
        with_captions("data/a.jpg") | {
            "multidatabackend.json": json.dumps([{"id": "x", "type": "local"}]), "cache/vae/a.pt": b"x",
            "output/validation_images/step_100_prompt_1024x1024.png": PHOTO,
        },
        captions("data/a.jpg"), texts=1, out={"multidatabackend.json", "cache/vae/a.pt", "output/validation_images/step_100_prompt_1024x1024.png"},
    ),
    "two texts line by line": Convention(
        {"videos/1.jpg": PHOTO, "videos/2.jpg": PHOTO, "videos.txt": "videos/1.jpg\nvideos/2.jpg\n", "prompts.txt": "ohwx, one\nohwx, two\n"},
        {"videos/1.jpg": "ohwx, one", "videos/2.jpg": "ohwx, two"}, texts=2,
    ),
    "texts of many endings": Convention(
        {
            **{f"q{n}.jpg": PHOTO for n in range(6)}, "q0.tags": "ohwx, tags", "q1.cap": "ohwx, cap", "q2.TXT": "ohwx, capitals",
            "q3.caption": "ohwx, caption", "q4.jpg.txt": "ohwx, whole name", "q4.txt": "ohwx, stem", "stray.txt": "ohwx, nobody",
        },
        {
            "q0.jpg": "ohwx, tags", "q1.jpg": "ohwx, cap", "q2.jpg": "ohwx, capitals", "q3.jpg": "ohwx, caption", "q4.jpg": "ohwx, whole name",
            "q5.jpg": "",
        },
        texts=6, out={"stray.txt"},
    ),
    "one name in several folders": Convention(
        with_captions("beach/001.jpg", "street/001.jpg", "office/001.jpg"), captions("beach/001.jpg", "street/001.jpg", "office/001.jpg"), texts=3,
    ),
    "names in two forms of Unicode": Convention(
        {"Zoe\u0308 浜辺か\u3099.jpg": PHOTO, "Zo\u00eb 浜辺が.txt": "ohwx, composed", "Anai\u0308s.jpg": PHOTO, "ANA\u00cfS.TXT": "ohwx, capitals"},
        {"Zoe\u0308 浜辺か\u3099.jpg": "ohwx, composed", "Anai\u0308s.jpg": "ohwx, capitals"}, texts=2,
    ),
    "a carnival": Convention(
        with_captions("dinner/a.jpg") | {"masks/venice 1.jpg": PHOTO, "masks/venice 2.jpg": PHOTO, "samples/of cake.jpg": PHOTO},
        captions("dinner/a.jpg"), texts=1, asked={"masks/venice 1.jpg", "masks/venice 2.jpg", "samples/of cake.jpg"},
    ),
    "photos of the person in a folder called control, captioned": Convention(
        with_captions("set/a.jpg", "control/a.jpg"), captions("set/a.jpg"), texts=1, asked={"control/a.jpg", "control/a.txt"},
    ),
    "masks in a folder of another name": Convention(
        with_captions("set/a.jpg", "set/b.jpg") | {"white on black/a.png": PHOTO, "white on black/b.png": PHOTO},
        captions("set/a.jpg", "set/b.jpg"), texts=2, asked={"white on black/a.png", "white on black/b.png"},
    ),
    "previews of models": Convention(
        with_captions("a.jpg") | {"ohwx.safetensors": b"x", "ohwx.preview.png": PHOTO, "old.safetensors": b"x", "old.png": PHOTO},
        captions("a.jpg"), texts=1, out={"ohwx.safetensors", "ohwx.preview.png", "old.safetensors"}, asked={"old.png"},
    ),
}  # fmt: skip


def content(path: str, what: str | bytes) -> bytes:
    if what == PHOTO:
        return photo(path)
    return what if isinstance(what, bytes) else what.encode()


def lay_out(root: Path, convention: Convention) -> Path:
    for name, what in convention.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(name, what))
    return root


def captions_in(project, convention: Convention) -> dict[str, str]:
    """{path: caption} of the items, known by their content."""
    paths = {hashlib.sha256(photo(name)).hexdigest(): name for name, what in convention.files.items() if what == PHOTO}
    return {paths[item.sha256]: item.caption for item in dataset.list_items(project)}


def check_accounts(project, convention: Convention, result: ImportReport, root: str) -> None:
    assert captions_in(project, convention) == convention.photos
    named = {name.removeprefix(f"{root}/"): group.words for group in result.left_out for name in group.files}
    assert set(named) == convention.out and all(named.values())
    assert {name.removeprefix(f"{root}/") for question in result.asked for name in question.files} == convention.asked
    assert len(result.texts) == convention.texts and result.rejected == [] and result.duplicates == []
    num_left = sum(len(group.files) for group in (*result.left_out, *result.asked))
    assert len(result.added) + num_left + len(result.texts) == result.num_given == num_accounted(result) == len(convention.files)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_file_of_a_folder_is_accounted_for(project, tmp_path, name):
    convention = CONVENTIONS[name]
    check_accounts(project, convention, import_media(project, [lay_out(tmp_path / "set", convention)]), "set")


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_same_in_an_archive_packed_on_windows(project, tmp_path, name):
    convention = CONVENTIONS[name]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path, what in convention.files.items():
            entry = zipfile.ZipInfo("x")
            entry.filename = path.replace("/", "\\")
            archive.writestr(entry, content(path, what))
    check_accounts(project, convention, import_media(project, [tmp_path / "set.zip"]), "set.zip")


@pytest.mark.parametrize("name", [name for name, convention in CONVENTIONS.items() if convention.asked or "reg" in str(convention.out)])
def test_one_answer_takes_in_what_was_left_out_and_nothing_twice(project, tmp_path, name):
    convention = CONVENTIONS[name]
    folder = lay_out(tmp_path / "set", convention)
    first = import_media(project, [folder])
    dataset.remove_item(project, first.added[0])
    groups = [*first.asked, *[group for group in first.left_out if group.can_come]]
    answers = Answers(take=frozenset(group.name for group in groups))
    second = import_media(project, [folder], answers=answers, earlier=first)
    waiting = {path for path, what in convention.files.items() if what == PHOTO and f"set/{path}" in str([group.files for group in groups])}
    assert len(second.added) == len(first.added) + len(waiting) and second.asked == []
    assert not [group for group in second.left_out if group.can_come] and num_accounted(second) == len(convention.files)
    there = set(captions_in(project, convention))
    assert waiting <= there and len(there) == len(convention.photos) + len(waiting) - 1  # what was removed stays away


def test_an_answer_that_leaves_out_ends_the_question(project, tmp_path):
    convention = CONVENTIONS["a carnival"]
    folder = lay_out(tmp_path / "set", convention)
    first = import_media(project, [folder])
    answers = Answers(take=frozenset({"set/masks"}), leave=frozenset({"set/samples"}))
    second = import_media(project, [folder], answers=answers, earlier=first)
    assert len(second.added) == 3 and second.asked == [] and [group.name for group in second.left_out] == ["set/samples"]
    assert second.duplicates == [] and num_accounted(second) == second.num_given == len(convention.files)


def test_a_text_for_all_photos_is_their_caption_once_the_person_says_so(project, tmp_path):
    convention = CONVENTIONS["a prompt for all, and nobody says so"]
    folder = lay_out(tmp_path / "set", convention)
    first = import_media(project, [folder])
    second = import_media(project, [folder], answers=Answers(take=frozenset({first.asked[0].name})), earlier=first)
    assert [item.caption for item in dataset.list_items(project)] == ["a photo of ohwx"] * 2
    assert len(second.added) == 2 and second.duplicates == [] and second.asked == [] and second.texts == ["set/prompt.txt"]


def test_the_repeats_of_kohya_are_told(project, tmp_path):
    result = import_media(project, [lay_out(tmp_path / "set", CONVENTIONS["kohya, regularisation"])])
    assert [(note.name, "10 times" in note.words) for note in result.notes] == [("set/img/10_ohwx woman", True)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AI Toolkit, its job says which folders are of others", "num_repeats = 3 for photos"),
        ("SimpleTuner, its backends say which folders are of others", "repeats = 4 for photos"),
        ("OneTrainer, captions are the files' names, and one concept is of others", "balancing = 3 for photos"),
    ],
)
def test_the_repeats_that_a_list_asks_for_are_told(project, tmp_path, name, words):
    result = import_media(project, [lay_out(tmp_path / "set", CONVENTIONS[name])])
    assert [note.words.startswith(words) for note in result.notes] == [True]


def test_the_caption_that_kohya_would_take_from_the_name_of_a_folder_is_told(project, tmp_path):
    result = import_media(project, [lay_out(tmp_path / "set", Convention({"1_ohwx woman/a.jpg": PHOTO}, {}))])
    assert [(note.name, note.words.endswith("ohwx woman")) for note in result.notes] == [("set/1_ohwx woman", True)]


def test_captions_that_found_no_photo_are_counted_and_named(project, tmp_path):
    result = import_media(project, [lay_out(tmp_path / "set", CONVENTIONS["the hub, one list above"])])
    assert [(note.name, "1 of its 3" in note.words, "train/gone.jpg" in note.words) for note in result.notes] == [
        ("set/metadata.csv", True, True)
    ]


def test_other_captions_of_a_photo_are_told_and_kept(project, tmp_path):
    convention = CONVENTIONS["diffusion-pipe"]
    result = import_media(project, [lay_out(tmp_path / "set", convention)])
    assert dataset.list_items(project)[0].other_captions == ("ohwx, in other words",)
    assert any(note.name == "set/d1.jpg" and "first of its 2 captions" in note.words for note in result.notes)


@pytest.mark.parametrize(
    ("text", "caption", "others"),
    [
        ("ohwx, one\nohwx, two\n\nohwx, three", "ohwx, one", ("ohwx, two", "ohwx, three")),
        ("[trigger], one\n[trigger], two", "ohwx, one", ("ohwx, two",)),
        ("A woman at sea\nA woman on a ship", "A woman at sea A woman on a ship", ()),  # "a" says nothing
        ("ohwx, a woman at\nthe sea", "ohwx, a woman at the sea", ()),
    ],
)
def test_lines_of_a_text_are_variants_where_they_begin_alike(project, tmp_path, text, caption, others):
    (tmp_path / "a.jpg").write_bytes(photo("a"))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    import_media(project, [tmp_path])
    item = dataset.list_items(project)[0]
    assert (item.caption, item.other_captions) == (caption, others)


# -- names


def test_files_named_one_by_one_keep_their_folders_apart(project, tmp_path):
    convention = CONVENTIONS["one name in several folders"]
    folder = lay_out(tmp_path / "set", convention)
    chosen = sorted(path for path in folder.rglob("*") if path.is_file())
    result = import_media(
        project, [*[path for path in chosen if path.suffix == ".txt"], *[path for path in chosen if path.suffix == ".jpg"]]
    )
    assert captions_in(project, convention) == convention.photos and num_accounted(result) == 6
    assert sorted(result.texts) == ["beach/001.txt", "office/001.txt", "street/001.txt"]


def test_entries_of_one_name_in_an_archive_are_all_taken_each_with_its_own_caption(project, tmp_path):
    names = ["first", "second", "third"]
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        for name in names:
            with pytest.warns(UserWarning) if name != "first" else open(os.devnull):
                archive.writestr("same.jpg", photo(name))
                archive.writestr("same.txt", f"ohwx, {name}")
    result = import_media(project, [tmp_path / "twice.zip"])
    by_content = {hashlib.sha256(photo(name)).hexdigest(): name for name in names}
    assert {by_content[item.sha256]: item.caption for item in dataset.list_items(project)} == {name: f"ohwx, {name}" for name in names}
    assert len(result.added) == 3 and num_accounted(result) == result.num_given == 6


def test_a_duplicate_brings_a_caption_that_was_missing_and_changes_no_other(project, tmp_path):
    folder = lay_out(tmp_path / "set", Convention({"a.jpg": PHOTO}, {}))
    import_media(project, [folder])
    for text in ("ohwx, at last", "ohwx, another"):
        (folder / "a.txt").write_text(text, encoding="utf-8")
        result = import_media(project, [folder])
        assert dataset.list_items(project)[0].caption == "ohwx, at last"
    assert "ohwx, another" in result.notes[0].words and len(result.duplicates) == 1


# -- links and what is no file


needs_links = pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders, and links need a right")


@needs_links
def test_a_folder_of_links_brings_the_photos_and_their_captions(project, tmp_path):
    convention = CONVENTIONS["one name in several folders"]
    folder = lay_out(tmp_path / "set", convention)
    (tmp_path / "links").mkdir()
    for path in (folder / "beach").iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    (tmp_path / "links" / "more").symlink_to(folder / "street")
    result = import_media(project, [tmp_path / "links"])
    assert captions_in(project, convention) == captions("beach/001.jpg", "street/001.jpg")
    assert num_accounted(result) == result.num_given == 4


@needs_links
def test_circles_pipes_and_links_to_everything_end_no_import(project, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "ok.jpg").write_bytes(photo("ok"))
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    (folder / "again").symlink_to(tmp_path)
    (folder / "everything").symlink_to("/")
    os.mkfifo(folder / "ok.txt")
    os.mkfifo(folder / "metadata.jsonl")
    os.mkfifo(folder / "pipe.jpg")
    result = import_media(project, [folder])
    assert len(result.added) == 1 and num_accounted(result) == result.num_given == 8
    told = {name for name, _ in result.rejected} | {name for group in result.left_out for name in group.files}
    assert {f"set/{name}" for name in ("a", "b", "again", "everything", "ok.txt", "metadata.jsonl", "pipe.jpg")} == told


@needs_links
def test_a_link_to_a_folder_with_far_too_much_is_named_and_the_rest_comes_in(project, tmp_path, monkeypatch):
    from studio.data import limits

    monkeypatch.setattr(limits, "MAX_FILES", 5)
    (tmp_path / "much").mkdir()
    for number in range(6):
        (tmp_path / "much" / f"{number}.dat").write_bytes(b"x")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "ok.jpg").write_bytes(photo("ok"))
    (tmp_path / "set" / "much").symlink_to(tmp_path / "much")
    result = import_media(project, [tmp_path / "set"])
    assert len(result.added) == 1 and "more than 5 files" in result.rejected[0].words


# -- the command


def studio(project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "studio", *arguments, "--home", str(project.workspace.home)]
    return subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, encoding="utf-8")


def test_the_command_names_what_it_leaves_out_and_takes_it_in_when_told(project, tmp_path):
    folder = str(lay_out(tmp_path / "set", CONVENTIONS["a carnival"]))
    said = studio(project, "import", "anna", folder)
    assert said.returncode == 0, said.stderr
    assert "set/masks (2 files) was not imported" in said.stdout and "set/masks/venice 1.jpg" in said.stdout
    assert "--take set/masks or --leave set/masks" in said.stdout
    told = studio(project, "import", "anna", folder, "--take", "set/masks", "--leave", "set/samples", "--json")
    result = json.loads(told.stdout)
    assert len(result["added"]) == 2 and result["asked"] == [] and result["num_given"] == len(CONVENTIONS["a carnival"].files)
    assert [group["name"] for group in result["left_out"]] == ["set/samples"]


def test_the_command_reads_captions_in_the_encoding_that_it_is_told(project, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").write_bytes(photo("a"))
    (tmp_path / "set" / "a.txt").write_bytes("ohwx, \u2665\u2665".encode("cp949"))
    said = studio(project, "import", "anna", str(tmp_path / "set"), "--encoding", "EUC-KR")
    assert "read as EUC-KR" in said.stdout and dataset.list_items(project)[0].caption == "ohwx, \u2665\u2665"
    wrong = studio(project, "import", "anna", str(tmp_path / "set"), "--encoding", "klingon")
    assert wrong.returncode == 2 and "GBK" in wrong.stderr + wrong.stdout
