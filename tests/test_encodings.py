"""Captions in any encoding: read as what they are and so told, or not taken; never kept as nonsense."""

import random

import pytest
from import_kit import num_accounted
from PIL import Image

from studio.data import dataset
from studio.data.auditing.audit import audit
from studio.data.auditing.finding import About
from studio.data.captions.caption_files import clean_caption
from studio.data.captions.rules import NO_TRIGGER, check_caption, class_prompt
from studio.data.captions.whole_words import whole_word
from studio.data.importer import import_media
from studio.data.incoming.encodings import read_text, read_texts
from studio.data.incoming.sorting import Answers
from studio.data.incoming.survey import ENCODING

SHORT = {  # what people write, as short as they write it
    "gbk": ["ohwx, 红色大衣, 在海边, 微笑", "ohwx，一个女人，站在雪地里", "红色毛衣", "ohwx, 黑发", "雪地", "ohwx女孩", "微笑"],
    "big5": ["ohwx, 紅色大衣, 在海邊", "ohwx，一個女人，站在雪地裡", "紅色毛衣"],
    "cp949": ["ohwx, 웃는 여자, 바닷가", "빨간 코트를 입은 여자", "ohwx, 공원", "미소"],
    "cp932": ["ohwx、赤いコートの女性、浜辺で", "笑顔の女性", "ohwx, カフェで座っている", "ohwx、笑顔", "カフェ"],
    "euc_jp": ["ohwx、赤いコートの女性、浜辺で", "笑顔の女性"],
    "cp1251": ["ohwx, женщина, на пляже", "улыбается", "ohwx, крупный план", "ohwx, УЛЫБКА", "Жінка в червоному пальті"],
    "koi8_r": ["ohwx, женщина, на пляже"],
    "cp1252": [
        "ohwx, schön, am Meer", "ohwx, une femme élégante, à la plage", "señora en el jardín", "ohwx, café", "ohwx, ein Mädchen", "größe",
        "ohwx, português, praia à noite", "blå jakke, smiler på stranden", "ohwx \u2014 \u201csmiling\u201d, in Paris", "ohwx, a café in Orléans",
    ],
    "cp1250": ["ohwx, kobieta w czerwonym płaszczu na plaży", "žena v červeném kabátě"],
    "cp1253": ["ohwx, μια γυναίκα στην παραλία"],
    "cp1254": ["ohwx, kırmızı paltolu kadın, sahilde gülümsüyor"],
    "cp1255": ["ohwx, אישה על החוף", "אישה במעיל אדום", "ohwx, חיוך"],
    "cp1256": ["ohwx, امرأة على الشاطئ", "امرأة ترتدي معطفا أحمر", "ohwx، زن در ساحل"],
    "cp1257": ["ohwx, moteris paplūdimyje, šypsosi", "sieviete sarkanā mētelī"],
    "cp866": ["ohwx, женщина на пляже", "улыбается", "ohwx, крупный план"],
    "iso8859_2": ["ohwx, kobieta na plaży, uśmiech", "žena v červeném kabátě"],
    "utf-16-le": ["红色大衣在海边微笑", "ohwx, 黑发", "ohwx smile"],
    "utf-16-be": ["ohwx, 黑发", "赤いコートの女性"],
}  # fmt: skip


@pytest.mark.parametrize("codec", SHORT)
def test_short_captions_of_each_language_are_read_and_the_encoding_is_told(codec):
    for text in SHORT[codec]:
        reading = read_text(text.encode(codec))
        assert (reading.text, reading.fault) == (text, "") and reading.encoding, (text, reading)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_says_itself_how_it_is_read_needs_no_word(codec):
    for texts in SHORT.values():
        for text in texts:
            reading = read_text(text.encode(codec))
            assert (reading.text, reading.encoding, reading.fault) == (text, "", "")


def test_random_bytes_are_no_caption():
    rng = random.Random(15)
    for size in (32, 64, 300, 4096):
        for _ in range(100):
            reading = read_text(rng.randbytes(size))
            assert reading.fault and not reading.text, reading
    for raw in (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x01\x02\x03abc", b"\0\0\0\0", b"+-*/ 12!"[:5]):
        assert read_text(raw).fault and not read_text(raw).text
    assert read_text(b"").text == read_text(b"\r\n").text.strip() == read_text(b"").fault == read_text(b"\r\n").fault == ""


def test_texts_of_one_folder_are_read_alike():
    """Two letters alone may be of several languages; beside others of the same folder they are not."""
    raws = [text.encode("koi8_r") for text in ("ohwx, женщина", "ohwx, на пляже, улыбается", "ЛЕС")]
    assert [reading.text for reading in read_texts(raws)] == ["ohwx, женщина", "ohwx, на пляже, улыбается", "ЛЕС"]


def photo(path, height=64):
    Image.new("RGB", (96, height), (height, 90, 60)).save(path)


def test_an_import_tells_how_it_read_a_caption_and_names_what_it_can_not_read(project, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for number, raw in enumerate((SHORT["gbk"][0].encode("gbk"), random.Random(1).randbytes(200))):
        photo(folder / f"{number}.png", 64 + number)
        (folder / f"{number}.txt").write_bytes(raw)
    result = import_media(project, [folder])
    assert [item.caption for item in dataset.list_items(project)] == [SHORT["gbk"][0], ""]
    assert [(note.name, note.words) for note in result.notes] == [("set/0.txt", f"read as GBK: {SHORT['gbk'][0]}")]
    assert [(group.files, "no text" in group.words) for group in result.left_out] == [(("set/1.txt",), True)]
    assert num_accounted(result) == result.num_given == 4


def test_texts_whose_encoding_cant_be_told_are_asked_about_once_for_their_folder(project, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for number in (1, 2):
        photo(folder / f"{number}.png", 64 + number)
        (folder / f"{number}.txt").write_bytes("ЛЕС".encode("koi8_r"))
    (folder / "about.txt").write_bytes("ЛЕС".encode("koi8_r"))  # no photo is called so: it is no caption to ask about
    result = import_media(project, [folder])
    [question] = result.asked
    assert (question.files, question.code) == (("set/1.txt", "set/2.txt"), ENCODING)
    assert ("KOI8-R", "ЛЕС") in [(way.encoding, way.sample) for way in question.readings]
    assert num_accounted(result) == result.num_given == 5
    again = import_media(project, [folder], answers=Answers(encodings={question.name: "KOI8-R"}), earlier=result)
    assert [item.caption for item in dataset.list_items(project)] == ["ЛЕС", "ЛЕС"] and not again.asked
    left = import_media(project, [folder], answers=Answers(leave=frozenset([question.name])))
    assert not left.asked and num_accounted(left) == left.num_given


def test_signs_that_turn_or_hide_words_go_and_those_that_join_letters_stay():
    assert clean_caption("ohwx\u202e, gnilims\u202c, \u2066at\u2069 sea\u200b\ufeff\U000e0041") == "ohwx, gnilims, at sea"
    family, persian = "\U0001f469\u200d\U0001f467", "می\u200cخواهم"
    assert clean_caption(f"ohwx, {family}, {persian}") == f"ohwx, {family}, {persian}"


# -- triggers where no spaces are written


@pytest.mark.parametrize(
    "caption", ["ohwxの女性、浜辺で", "女性ohwxが笑う", "ohwx는 웃는다", "一位ohwx站在海边", "ภาพohwxยิ้ม", "ohwx, by the sea", "OHWX、笑顔"]
)
def test_a_trigger_is_found_beside_letters_of_scripts_without_spaces(caption):
    assert NO_TRIGGER not in [remark.code for remark in check_caption(caption, "ohwx", "person")]
    assert "ohwx" not in class_prompt(caption, "ohwx", "person").casefold() and "person" in class_prompt(caption, "ohwx", "person")


@pytest.mark.parametrize("caption", ["ohwx2, by the sea", "xohwx", "ohwxé", "ohwxс by the sea"])  # the last one is Cyrillic
def test_a_trigger_is_not_found_within_a_longer_word(caption):
    assert not whole_word("ohwx", any_case=True).search(caption)


def test_a_trigger_of_hanzi_is_found_between_hanzi():
    assert whole_word("安娜").sub("x", "一位安娜站在海边") == "一位x站在海边"


def test_replacing_whole_words_and_the_audit_know_those_scripts_too(project, tmp_path):
    photo(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("ohwxの女性、浜辺で", encoding="utf-8")
    import_media(project, [tmp_path / "a.png"])
    assert not [
        finding for finding in audit(dataset.list_items(project), About(trigger="ohwx", class_noun="person")) if finding.code == NO_TRIGGER
    ]
    assert dataset.replace_in_captions(project, "ohwx", "anaq", whole_words=True) == 1
    assert dataset.list_items(project)[0].caption == "anaqの女性、浜辺で"
