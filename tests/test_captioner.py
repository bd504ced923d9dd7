"""Writing captions: the tiny captioner as a real model, the job, and what becomes of any answer a model may give."""

import hashlib
import json
import random
import shutil
from types import SimpleNamespace

import pytest

from studio.config import CaptionConfig, list_presets, load_preset
from studio.data import dataset
from studio.data.captions.caption_report import CaptionReport, read_journal
from studio.data.captions.writing.answer import read_answer
from studio.data.captions.writing.instructions import bounds, instruction
from studio.errors import Problem

STYLE = load_preset("captions", "standard")
ASKED = {kind: instruction(STYLE, kind) for kind in ("photo", "clip")}
PHOTO_ANSWER = "PERSON: wearing a dark jacket, smiling, close-up\nSCENE: a plain wall, soft light"
CLIP_ANSWER = "PERSON: walking to the left, full body\nSCENE: a green meadow, bright daylight, the camera follows"
PHOTO_CAPTION = "ohwx, a person, wearing a dark jacket, smiling, close-up, a plain wall, soft light"
CLIP_CAPTION = "ohwx, a person, walking to the left, full body, a green meadow, bright daylight, the camera follows"
WORDS = [PHOTO_ANSWER, CLIP_ANSWER, ASKED["photo"], ASKED["clip"]] * 3


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A model this small is slower on two threads, and far slower when they wait for each other on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def untaught(tmp_path_factory):
    from studio.tiny.words.captioner import build_untaught_captioner

    return build_untaught_captioner(tmp_path_factory.mktemp("captioner"), WORDS, seed=0)


@pytest.fixture(scope="module")
def taught(untaught, tmp_path_factory):
    """The tiny captioner after a short training: it answers PHOTO_ANSWER for any photo and CLIP_ANSWER for any clip."""
    import torch
    from PIL import Image

    from studio.models.captioners.places import load_captioner

    folder = shutil.copytree(untaught, tmp_path_factory.mktemp("taught") / "captioner")
    captioner = load_captioner(folder)
    pictures = [Image.effect_noise((96, 96), spread).convert("RGB") for spread in (20, 60)]
    pictures += [Image.new("RGB", (96, 128), color) for color in ("white", "brown", "black")]
    tokenizer = captioner.processor.tokenizer
    examples = [
        (captioner.prepare(shown, fps, ASKED[kind]), tokenizer(answer + "<|im_end|>", return_tensors="pt").input_ids)
        for picture in pictures
        for kind, shown, fps, answer in (("photo", [picture], 0.0, PHOTO_ANSWER), ("clip", [picture] * 8, 2.0, CLIP_ANSWER))
    ]
    optimizer = torch.optim.AdamW(captioner.model.parameters(), lr=3e-3)
    for step in range(200):
        loss = _loss(captioner.model, *examples[step % len(examples)])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(captioner.model.parameters(), 1.0)
        optimizer.step()
    assert loss.item() < 0.05
    captioner.model.save_pretrained(folder)
    return folder


def _loss(model, inputs, target):
    import torch

    ids = torch.cat([inputs["input_ids"], target], 1)
    labels = ids.clone()
    labels[:, : inputs["input_ids"].shape[1]] = -100
    types = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(target)], 1)
    media = {key: value for key, value in inputs.items() if "pixel" in key or "grid" in key}
    return model(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=types, labels=labels, **media).loss


# -- what becomes of an answer


def read(text, **options):
    options = dict(trigger="ohwx", instruction=ASKED["photo"], **bounds(STYLE)) | options
    return read_answer(text, **options)


@pytest.mark.parametrize(
    ("text", "person", "scene"),
    [
        ("PERSON: Wearing a red coat, smiling\nSCENE: A sunlit park, trees", "wearing a red coat, smiling", "a sunlit park, trees"),
        ("PERSON: wearing a scarf. SCENE: street, night", "wearing a scarf", "street, night"),
        ("Sure! Here you go:\n\n**PERSON:** wearing a tie\n**SCENE:** an office\n\nI hope this helps!", "wearing a tie", "an office"),
        ("1. Person: - wearing a hat\n- waving\n2. Scene:\n- a beach\n- sunset", "wearing a hat, waving", "a beach, sunset"),
        ('```json\n{"person": ["a hat", "waving"], "scene": {"place": "a beach"}}\n```', "a hat, waving", "a beach"),
        ("PERSON: He is wearing sunglasses; full body\nBACKGROUND: brick wall", "wearing sunglasses, full body", "brick wall"),
        ("PERSON: a hat, a hat, A Hat, waving\nSCENE: a park, a park\nPERSON: again\nSCENE: again", "a hat, waving", "a park"),
        ("The image shows a woman wearing a green dress. She is standing in a garden.", "wearing a green dress, standing in a garden", ""),
        ("PERSON: 红色 coat, wearing a hat\nSCENE: a café in Zürich", "wearing a hat", "a café in Zürich"),
        ("<think>hm</think>PERSON: wearing jeans\nSCENE: N/A<|im_end|>", "wearing jeans", ""),
        ("PERSON: ohwx wearing a cap, OHWX smiling\nSCENE: see https://example.org/x, a bar", "wearing a cap, smiling", "a bar"),
        ("PERSON: \x1b[31mwearing a tie\x00\u202e\nSCENE: <b>an office</b> \U0001f600", "wearing a tie", "an office"),
    ],
)
def test_an_answer_becomes_the_two_parts_of_a_caption(text, person, scene):
    answer = read(text)
    assert (answer.person, answer.scene, answer.problem) == (person, scene, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing"),
        ("\n \t\x00<|im_end|>", "nothing"),
        ("*" * 4000, "nothing"),
        ("I'm sorry, but I can't help with identifying people.", "declined"),
        ("一个女人穿着红色的衣服，站在公园里", "English"),
        ("asdf qwer zxcv uiop hjkl", "readable"),
        ("PERSON: the red the red the red the red the red\nSCENE: N/A", "nothing to use"),
        ("shirt " * 200, "nothing to use"),
        ("PERSON: what they wear and carry, what they do\nSCENE: the place, the light", "question"),
        (ASKED["photo"], "question"),
        ('{"person": {"a": {"b": {"c": ["x"]}}}, "scene": 7}', ""),
    ],
)
def test_an_unusable_answer_is_named_and_gives_no_words(text, words):
    answer = read(text)
    assert (answer.person, answer.scene) == ("", "")
    assert answer.problem
    assert words in answer.problem


NASTY = [
    "{" * 3999,
    "[[[" * 1000,
    '{"person":' * 600,
    " PERSON" * 600,
    "PERSON:" * 600,
    "PERSON: " + "very " * 700 + "long",
    "PERSON: a coat\nSCENE: " + "a tree, " * 900,
    "a" * 4000,
    "PERSON: " + "x" * 3000 + " coat, a coat",
    "PERSON: a coat\u2028SCENE: a park\u0000\ufeff\ud800",
    "PERSON: ../../etc/passwd, C:\\Windows\\System32\\cmd.exe, a coat and hat",
    "PERSON: <script>alert(1)</script> a blue coat\nSCENE: <img src=x onerror=alert(1)> a park",
    "PERSON: a $(reboot) coat `id` {{7*7}} ${x}\nSCENE: a park | cat",
    "PERSON: a coat\n\nOHWX, ohwx, [trigger]\nSCENE: ohwx in a park with ohwx",
    "\u202ePERSON: a coat\u200b\u200d\nSCENE: a\u0301\u0301\u0301\u0301 park",
    "Z\u0351\u036f\u0359a\u0320\u0333l\u0358go " * 100,
    "| person | scene |\n|---|---|\n| a blue coat | a park |",
    "." * 3990 + "PERSON:",
    "PERSON" + "*" * 3000 + ": a coat",
    None,
    12,
    b"\xff\xfe",
]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_no_answer_breaks_a_caption(text):
    for complete in (True, False):
        answer = read(text, complete=complete)
        caption = f"{answer.person}, {answer.scene}"
        assert caption.isprintable()
        assert len(caption) < 1500
        assert len(caption.split()) <= 2 * STYLE["max_words"] + 1
        assert not set(caption) & set("<>{}[]$`|\\*#_")
        assert "ohwx" not in caption.casefold()


def test_the_looks_of_the_person_stay_out_of_the_caption():
    answer = read(
        "PERSON: a young woman with long blond hair wearing a green dress, brown eyes, close-up\nSCENE: a beautiful garden, soft light"
    )
    assert answer.person == "wearing a green dress, close-up"
    assert answer.scene == "soft light"


def test_every_style_asks_for_the_two_labels():
    assert {"standard", "brief"} <= set(list_presets("captions"))
    for name in list_presets("captions"):
        style = load_preset("captions", name)
        for kind in ("photo", "clip"):
            assert "PERSON:" in style[kind]
            assert "SCENE:" in style[kind]


# -- the tiny model


def hashes(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_the_untaught_captioner_is_the_same_file_for_file(untaught, tmp_path):
    from studio.tiny.words.captioner import build_untaught_captioner

    assert hashes(build_untaught_captioner(tmp_path / "again", WORDS, seed=0)) == hashes(untaught)
    assert hashes(build_untaught_captioner(tmp_path / "other", WORDS, seed=1)) != hashes(untaught)


def test_the_tiny_captioner_loads_through_the_auto_classes(untaught):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(untaught, local_files_only=True)
    model = AutoModelForImageTextToText.from_pretrained(untaught, use_safetensors=True)
    assert type(model).__name__ == "Qwen3VLForConditionalGeneration"
    assert 1_500_000 < model.num_parameters() < 2_000_000
    assert processor.video_processor is not None
    text = "Grüße, 李: any text is spelled in bytes\n"
    assert processor.tokenizer.decode(processor.tokenizer(text).input_ids) == text


def test_pictures_of_any_size_come_to_few_tokens(untaught):
    from PIL import Image

    from studio.models.captioners.places import load_captioner

    captioner = load_captioner(untaught)
    for side in (20, 64, 80, 97, 320, 768):
        picture = Image.new("RGB", (side, side))
        assert captioner.prepare([picture], 0.0, "")["image_grid_thw"].tolist() == [[1, 4, 4]]
        assert captioner.prepare([picture] * 8, 4.0, "")["video_grid_thw"].tolist() == [[8, 4, 4]]  # a token for each frame
    for size in ((768, 432), (432, 768), (2000, 150)):
        assert captioner.prepare([Image.new("RGB", size)], 0.0, "")["image_grid_thw"].prod() <= 16 * 5


def test_a_large_drawing_is_seen_as_the_cells_that_it_was_made_of(untaught):
    import torch

    from studio.models.captioners.places import load_captioner
    from studio.tiny import world
    from studio.tiny.pixel_drawing import draw_photo

    captioner = load_captioner(untaught)
    rng = random.Random(0)
    people = [(world.draw_identity(rng), world.draw_scene(rng)) for _ in range(3)]
    for person in people:
        small, large = (captioner.prepare([draw_photo(*person, scale)], 0.0, "")["pixel_values"] for scale in (1, 4))
        assert torch.nn.functional.mse_loss(small, large) ** 0.5 < 0.02


def test_instructions_and_captions_are_whole_words(tmp_path):
    from studio.models.captioners.places import load_captioner
    from studio.tiny.words.captioner import build_untaught_captioner

    tokenizer = load_captioner(build_untaught_captioner(tmp_path)).processor.tokenizer
    for name in ("brief", "standard"):
        for kind in ("photo", "clip"):
            text = instruction(load_preset("captions", name), kind)
            assert len(tokenizer(text).input_ids) < 1.3 * len(text.split())
    assert len(tokenizer("PERSON: wearing an orange shirt and glasses, facing slightly left\nSCENE: brick background").input_ids) <= 17


# -- its lessons


def test_an_answer_becomes_exactly_the_worlds_caption():
    from studio.data.captions.rules import compose_caption
    from studio.tiny import world
    from studio.tiny.words.captioner_training import answer_for

    rng = random.Random(0)
    for i in range(40):
        kind = ("photo", "clip")[i % 2]
        scene = world.draw_scene(rng, motion=("", None)[i % 2])
        for name in ("brief", "standard"):
            style = load_preset("captions", name)
            answer = read_answer(answer_for(scene, name), trigger="ohwx", instruction=instruction(style, kind), **bounds(style))
            omit = {"motion"} | ({"view"} if name == "brief" else set())
            expected = world.caption(scene, "ohwx, a person", omit).split(", ")
            if scene.motion:
                expected.insert(-2, scene.motion)  # of the person, so before place and light
            assert compose_caption("ohwx", f"a person, {answer.person}", answer.scene) == ", ".join(expected)
            assert not answer.problem


def test_lessons_show_no_held_out_person_or_scene_and_the_pictures_that_the_captioner_prepares(untaught):
    import torch

    from studio.models.captioners.places import load_captioner
    from studio.tiny import world
    from studio.tiny.words.captioner_training import Head, Lessons

    captioner = load_captioner(untaught)
    lessons = Lessons(captioner, Head(96, 0), 0)
    for kind, fps in (("photo", 0.0), ("clip", 4.0)):
        scenes, pictures = lessons.draw(random.Random(0), kind, 6)
        assert not any(world.is_held_out_scene(scene) for scene in scenes)
        pixels, grid = lessons.media(pictures, kind).values()
        prepared = [captioner.prepare(each, fps, "") for each in pictures]
        one_by_one = torch.cat([next(v for key, v in p.items() if "pixel" in key) for p in prepared])
        assert torch.allclose(pixels, one_by_one, atol=1e-6)
        assert len(grid) == 6


def test_a_training_that_was_cut_off_ends_with_the_same_files(tmp_path):
    from studio.tiny.words.captioner_training import build_captioner

    how = {"steps": 2, "learning_rate": 1e-3, "photos": 2, "clips": 1}
    stages = {"see": how, "follow": how | {"often": ("nodding",)}, "tell": how}
    options = dict(stages=stages, report=lambda text: None)
    whole = build_captioner(tmp_path / "whole", tmp_path / "work", **options)
    for stop_at in (2, 3, 3):  # within each of the stages
        looks = iter(range(1, 99))
        assert (
            build_captioner(tmp_path / "cut", tmp_path / "again", should_stop=lambda looks=looks, at=stop_at: next(looks) == at, **options)
            is None
        )
    assert hashes(build_captioner(tmp_path / "cut", tmp_path / "again", **options)) == hashes(whole)


def test_the_packs_captioner_says_what_is_in_photos_and_clips_that_it_never_saw(workspace):
    from studio.models.catalogue import find_model
    from studio.tiny.words.captioner_training import measure_captioner

    folder = find_model("tiny", workspace).captioner
    assert sum(p.stat().st_size for p in folder.iterdir()) < 7_000_000
    right = measure_captioner(folder, seed=2, photos=12, clips=6)
    assert sum(right.values()) / len(right) >= 0.9, right


# -- finding the captioner


def test_the_base_models_own_captioner_is_the_default(untaught, workspace, tmp_path):
    from studio.models.captioners.opening import find_captioner

    folder = shutil.copytree(untaught, tmp_path / "base" / "captioner")
    base = SimpleNamespace(captioner=folder)
    assert find_captioner("", base, workspace) == folder
    assert find_captioner(str(folder), base, workspace) == folder


def test_a_captioner_is_found_in_the_models_folder_or_where_its_path_file_points(untaught, workspace, tmp_path):
    from studio.models.captioners.opening import find_captioner

    base = SimpleNamespace(captioner=workspace.models_dir / "Some-VLM")
    with pytest.raises(Problem, match="Some-VLM") as absent:
        find_captioner("", base, workspace)
    assert str(workspace.models_dir / "Some-VLM") in absent.value.fix
    assert "by hand" in absent.value.fix

    workspace.models_dir.mkdir(parents=True)
    (workspace.models_dir / "Some-VLM.path").write_text(f"{untaught}\n", encoding="utf-8")
    assert find_captioner("", base, workspace) == untaught
    with pytest.raises(Problem, match="Qwen3-VL"):
        find_captioner("Qwen3-VL-4B-Instruct", None, workspace)


def test_a_captioner_with_pickled_weights_is_refused(untaught, workspace):
    from studio.models.captioners.opening import find_captioner

    folder = shutil.copytree(untaught, workspace.models_dir / "old")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(Problem, match="safetensors missing"):
        find_captioner("old", SimpleNamespace(captioner=""), workspace)


# -- the job


class Watcher:
    """Collects reports; stops, or does something, before the n-th item."""

    def __init__(self, stop_at=None, do_at=None, do=None):
        self.events, self.looks, self.stop_at, self.do_at, self.do = [], 0, stop_at, do_at, do

    def report(self, event, **fields):
        json.dumps(fields)
        self.events.append((event, fields))

    def should_stop(self):
        self.looks += 1
        if self.looks == self.do_at:
            self.do()
        return self.looks == self.stop_at


def write(project, path, watcher=None, config=None, journal=None, **wish):
    from studio.data.captions.writing.writer import Wish, write_captions
    from studio.models.captioners.places import load_captioner

    watcher = watcher or Watcher()
    asked = dict(
        config=config or CaptionConfig(), wish=Wish(**wish), journal=journal, report=watcher.report, should_stop=watcher.should_stop
    )
    return write_captions(project, open_captioner=lambda: load_captioner(path), **asked)


@pytest.fixture
def filled(project, media):
    """A project with two photos and a clip, put into its dataset folder as any program would."""
    project.dataset_dir.mkdir(parents=True)
    for name, source in (("0001.jpg", "person_a_1.jpg"), ("0002.jpg", "person_a_2.jpg"), ("clip-01.mp4", "bigbuckbunny.mp4")):
        shutil.copy(media / source, project.dataset_dir / name)
    return project


def captions_of(project):
    return {item.id: (item.caption, item.caption_source) for item in dataset.list_items(project)}


def test_photos_and_clips_get_structured_captions(filled, taught):
    watcher = Watcher()
    result = write(filled, taught, watcher)
    assert result == CaptionReport(written=3)
    assert captions_of(filled) == {"0001": (PHOTO_CAPTION, "auto"), "0002": (PHOTO_CAPTION, "auto"), "clip-01": (CLIP_CAPTION, "auto")}
    assert (filled.dataset_dir / "clip-01.txt").read_text(encoding="utf-8") == CLIP_CAPTION
    last = [fields for event, fields in watcher.events if event == "progress"][-1]
    assert (last["done"], last["total"], last["unit"]) == (3, 3, "captions")


def test_one_undo_takes_the_captions_of_a_job_back(filled, taught):
    write(filled, taught)
    assert "3" in dataset.undo(filled)
    assert {caption for caption, _ in captions_of(filled).values()} == {""}


def test_captions_by_hand_or_imported_are_never_touched(filled, taught):
    dataset.set_caption(filled, "0001", "ohwx, my own words", source="hand")
    dataset.set_caption(filled, "0002", "ohwx, from another trainer", source="imported")
    result = write(filled, taught, overwrite_auto=True, only=["0001", "0002", "clip-01"])
    assert (result.written, result.kept) == (1, 2)
    captions = captions_of(filled)
    assert captions["0001"] == ("ohwx, my own words", "hand")
    assert captions["0002"] == ("ohwx, from another trainer", "imported")


def test_automatic_captions_are_written_again_only_when_asked(filled, taught):
    dataset.set_caption(filled, "0001", "ohwx, an older automatic caption", source="auto")
    assert write(filled, taught, only=["0001"]).written == 0
    assert write(filled, taught, only=["0001"], overwrite_auto=True).written == 1
    assert captions_of(filled)["0001"] == (PHOTO_CAPTION, "auto")


def test_a_caption_typed_while_the_job_runs_wins(filled, taught):
    watcher = Watcher(do_at=2, do=lambda: dataset.set_caption(filled, "0002", "ohwx, typed meanwhile"))
    result = write(filled, taught, watcher)
    assert (result.written, result.kept) == (2, 1)
    assert captions_of(filled)["0002"] == ("ohwx, typed meanwhile", "hand")
    assert "edited meanwhile" in result.notes[0].text


def test_an_item_removed_while_the_job_runs_is_named(filled, taught):
    result = write(filled, taught, Watcher(do_at=1, do=lambda: dataset.remove_item(filled, "0001")))
    assert (result.written, result.failed) == (2, 1)
    assert result.notes[0].file == "0001.jpg"


def test_a_stop_is_seen_between_items(filled, taught):
    result = write(filled, taught, Watcher(stop_at=2))
    assert (result.written, result.stopped) == (1, True)
    assert [bool(caption) for caption, _ in captions_of(filled).values()] == [True, False, False]
    assert write(filled, taught).written == 2


def test_a_captioner_that_answers_nonsense_leaves_every_caption_as_it_was_and_lists_them(filled, untaught):
    dataset.set_caption(filled, "0001", "ohwx, an older automatic caption", source="auto")
    result = write(filled, untaught, config=CaptionConfig(max_new_tokens=16), overwrite_auto=True)
    assert (result.written, result.refused) == (0, 3)
    assert [caption for caption, _ in captions_of(filled).values()] == ["ohwx, an older automatic caption", "", ""]
    assert [note.file for note in result.notes] == ["0001.jpg", "0002.jpg", "clip-01.mp4"]
    assert "its old caption stays" in result.notes[0].text and "it has no caption" in result.notes[1].text
    assert all(note.code == "refused" for note in result.notes)


def test_a_job_that_goes_on_asks_only_about_what_it_did_not_reach(filled, taught, tmp_path):
    for item in dataset.list_items(filled):
        dataset.set_caption(filled, item.id, "ohwx, an older automatic caption", source="auto")
    journal = tmp_path / "captions.jsonl"
    first = write(filled, taught, Watcher(stop_at=2), journal=journal, overwrite_auto=True)
    assert (first.written, first.stopped) == (1, True)
    watcher = Watcher()
    second = write(filled, taught, watcher, journal=journal, overwrite_auto=True)
    assert (second.written, second.stopped) == (3, False)
    loads = [fields for event, fields in watcher.events if event == "progress"]
    assert (loads[0]["done"], loads[0]["total"]) == (1, 3)
    assert [note.id for note in read_journal(journal)] == ["0001", "0002", "clip-01"]


def test_each_caption_says_which_captioner_wrote_it(filled, taught):
    write(filled, taught)
    by = dataset.get_item(filled, "0001").caption_by
    assert by is not None
    assert (by.captioner, by.style) == (taught.name, "standard")
    assert by.version and by.time > 0


def test_a_damaged_photo_is_named_and_the_job_goes_on(filled, taught):
    items = {item.id: item for item in dataset.list_items(filled)}
    data = items["0001"].path.read_bytes()
    result = write(filled, taught, Watcher(do_at=1, do=lambda: items["0001"].path.write_bytes(data[:300])))
    assert (result.written, result.failed) == (2, 1)
    assert result.notes[0].file == "0001.jpg"
    assert captions_of(filled)["0001"][0] == ""


def test_nothing_to_write_loads_no_model(filled):
    for item in dataset.list_items(filled):
        dataset.set_caption(filled, item.id, "ohwx, by hand")
    watcher = Watcher()
    result = write(filled, filled.root / "no such model", watcher)
    assert (result.written, result.kept) == (0, 3)
    assert "0 captions to write" in watcher.events[0][1]["message"]


def test_left_out_items_are_captioned_only_when_named(filled, taught):
    dataset.set_keep(filled, "0002", False, "blurred")
    write(filled, taught)
    assert captions_of(filled)["0002"][0] == ""
    assert write(filled, taught, only=["0002"]).written == 1


def test_a_missing_trigger_or_item_is_said_before_any_work(filled):
    with pytest.raises(ValueError, match="9999"):
        write(filled, filled.root / "no such model", only=["9999"])
    filled.update(trigger=" ")
    with pytest.raises(Problem, match="trigger"):
        write(filled, filled.root / "no such model")


def test_a_folder_that_is_no_captioner_is_a_problem_in_words(filled, untaught, tmp_path):
    folder = shutil.copytree(untaught, tmp_path / "broken")
    (folder / "config.json").write_text('{"model_type": "no-such-model"}', encoding="utf-8")
    with pytest.raises(Problem, match="can't be loaded"):
        write(filled, folder)
