"""Where a base model stops reading a caption: counted as it counts, and marked where the caption is edited."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece
from PIL import Image

from studio.data import dataset
from studio.data.importer import import_media
from studio.models.files.prompt_length import PromptReader, find_prompt_reader, may_be_cut
from studio.ui.dataset import view

LONG = "ohwx, " + ", ".join(["a person on grass"] * 40)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """(folder, SentencePieceProcessor) of a small tokenizer of UMT5's kind, trained here."""
    folder, model = tmp_path_factory.mktemp("pieces"), io.BytesIO()
    lines = ["ohwx 一个女人穿着红色的外套站在雪地街道上微笑"] * 50 + ["a woman in the snow smiling é"] * 50
    options = {"vocab_size": 300, "byte_fallback": True, "hard_vocab_limit": False, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **options)
    (folder / "spiece.model").write_bytes(model.getvalue())
    return folder, sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


@pytest.mark.parametrize(
    "text", ["ohwx, 一个女人穿着红色的外套 😀 站在雪地街道上微笑，a woman", "ohwx, a woman in the snow, smiling at the sea", "ohwx"]
)
def test_a_prompt_is_cut_where_the_tokenizer_cuts_it(pieces, text):
    folder, tokenizer = pieces
    for most in (4, 8, 12, 20, 200):
        read = PromptReader(folder, most).num_characters_read(text)
        assert len(tokenizer.encode(text[:read])) <= most - 1
        assert read == len(text) or len(tokenizer.encode(text[: read + 1])) > most - 1


def test_no_prompt_that_is_short_in_bytes_is_ever_cut(pieces):
    _, tokenizer = pieces
    for text in ("ohwx, 一个女人", "x😀é女", "a b c d", " ".join("abcdefgh")):
        tokens = len(tokenizer.encode(text)) + 1
        assert may_be_cut(text, tokens - 1)


def test_the_count_is_the_one_that_training_cuts_at(project, tiny_base):
    from studio.models.tokenizer import load_tokenizer

    reader = find_prompt_reader("tiny", project.workspace)
    assert reader and reader.prompt_tokens == tiny_base.max_prompt_tokens
    read = reader.num_characters_read(LONG)
    ids = [
        load_tokenizer(tiny_base)(
            [text], padding="max_length", max_length=reader.prompt_tokens, truncation=True, return_tensors="pt"
        ).input_ids
        for text in (LONG, LONG[:read], LONG[: LONG.rfind(",", 0, read)])
    ]
    assert 0 < read < len(LONG) and (ids[0] == ids[1]).all() and (ids[0] != ids[2]).any()


def test_the_editor_marks_what_the_model_does_not_see(project, tmp_path):
    for number, text in enumerate((LONG, "ohwx, a person on grass")):
        Image.new("RGB", (64, 64), (number * 90, 9, 9)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(text, encoding="utf-8")
    import_media(project, [tmp_path / "0.png", tmp_path / "1.png"])
    look = view.look_at(project)
    shown = [view.read_viewer(project, look, item) for item in look.items]
    assert LONG.endswith(shown[0].unread) and shown[0].unread and any("64 tokens" in words for words in shown[0].problems)
    assert shown[1].unread == "" and not any("tokens" in words for words in shown[1].problems)
    dataset.set_caption(project, "0001", "ohwx, a person on grass, by day")
    assert view.read_viewer(project, view.look_at(project), dataset.get_item(project, "0001")).unread == ""


def test_without_the_model_nothing_is_claimed(project):
    assert find_prompt_reader("wan22-t2v-a14b", project.workspace) is None
    assert find_prompt_reader("no such model", project.workspace) is None


def test_counting_loads_no_torch(project):
    code = (
        "import sys; from pathlib import Path; from studio.models.files.prompt_length import find_prompt_reader; from studio.workspace import Workspace\n"
        f"find_prompt_reader('tiny', Workspace(Path({str(project.workspace.home)!r}))).num_characters_read({LONG!r})\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
