"""Triggers, captions, class prompts and the audit."""

from pathlib import Path

import pytest

from studio.data.captions import rules
from studio.data.captions.rules import audit, check_caption, check_trigger, class_prompt, compose_caption, suggest_trigger
from studio.data.item_record import Item


def items(*captions, keep=True):
    fields = dict(kind="photo", path=Path(), width=64, height=64, num_frames=1, fps=0.0, seconds=0.0, caption_source="hand")
    return [Item(id=f"{n:04d}", caption=c, keep=keep, original="", sha256="", **fields) for n, c in enumerate(captions, 1)]


PROJECT = ("ohwx", "person")


@pytest.mark.parametrize("trigger", ["ohwx", "xqzv", "p3rs0n", "ohwx1"])
def test_an_invented_word_is_a_good_trigger(trigger):
    assert check_trigger(trigger, "person") == []


@pytest.mark.parametrize(
    ("trigger", "code", "said"),
    [
        ("", rules.EMPTY, "empty"),
        ("  ", rules.EMPTY, "empty"),
        ("oh wx", rules.SPACE, "space"),
        ("oh.wx", rules.SIGNS, "letters and digits"),
        ("12345", rules.DIGITS, "digits"),
        ("ox", rules.SHORT, "too short"),
        ("x" * 40, rules.LONG, "at most"),
        ("person", rules.REAL_WORD, "real word"),
        ("sks", rules.REAL_WORD, "real word"),
        ("anna", rules.REAL_WORD, "real word or name"),
        ("Anna", rules.REAL_WORD, "real word or name"),
        ("anna2", rules.REAL_WORD, "real word or name"),
        ("müller", rules.REAL_WORD, "real word"),
        ("мария", rules.REAL_WORD, "real word"),
        ("voiture", rules.REAL_WORD, "real word"),
        ("OHWX", rules.CAPITALS, "write ohwx"),
    ],
)
def test_a_trigger_that_means_something_else_is_refused_with_the_reason(trigger, code, said):
    worst = check_trigger(trigger)[0]
    assert worst.code == code and said in worst.words


def test_the_class_noun_is_no_trigger():
    assert [remark.code for remark in check_trigger("zorblax", "Zorblax")] == [rules.CLASS_NOUN]


def test_a_suggested_trigger_is_always_the_same_and_always_good():
    names = ["Anna", "Łukasz", "麻衣", "", "O'Brien"]
    assert [suggest_trigger(n) for n in names] == [suggest_trigger(n) for n in names]
    assert all(check_trigger(suggest_trigger(n)) == [] for n in names)
    assert suggest_trigger("Anna", taken=(suggest_trigger("Anna"),)) != suggest_trigger("Anna")


@pytest.mark.parametrize(
    ("caption", "code", "said"),
    [
        ("", rules.NO_CAPTION, "empty"),
        ("   ", rules.NO_CAPTION, "empty"),
        ("a person in a park", rules.NO_TRIGGER, "missing"),
        ("ohwxy, in a park", rules.NO_TRIGGER, "missing"),
        ("photo of ohwx in a park", rules.TRIGGER_LATER, "does not begin"),
        ("Ohwx, in a park", rules.SPELLING, "written Ohwx"),
        ("ohwx", rules.ONLY_TRIGGER, "nothing but"),
        ("ohwx, ", rules.ONLY_TRIGGER, "nothing but"),
        ("ohwx, a person", rules.PLAIN, "nothing about the scene"),
        ("ohwx person.", rules.PLAIN, "nothing about the scene"),
        ("ohwx, [trigger] in a park", rules.PLACEHOLDER, "placeholder"),
        ("ohwx, in a park" * 1000, rules.LONG, "characters; use at most"),
    ],
)
def test_a_caption_that_will_not_do_says_why(caption, code, said):
    remarks = {remark.code: remark.words for remark in check_caption(caption, "ohwx", "person")}
    assert said in remarks[code]


def test_a_good_caption_has_no_remark():
    assert check_caption("ohwx, smiling, in a park", "ohwx", "person") == []
    assert check_caption("anything", "", "person") == []
    assert check_caption("ohwx, a person, smiling", "ohwx", "person") == []


def test_the_captioner_s_plain_caption_is_legal_and_the_audit_asks_to_look_at_it():
    assert check_caption("ohwx, a young woman", "ohwx") == []  # legal: it can be trained with
    found = audit(items("ohwx, a person", "ohwx, a person, in a park"), *PROJECT)
    assert [f.items for f in found] == [("0001",)] and "says nothing about the scene" in found[0].message
    assert found[0].severity == "warning"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("ohwx, in a park", "person, in a park"),
        ("OHWX, and Ohwx's hat", "person, and person's hat"),
        ("(ohwx)ohwx. ohwx-like", "(person)person. person-like"),
        ("ohwxy and myohwx stay", "ohwxy and myohwx stay"),
        ("éohwx ohwxé stay, ohwx does not", "éohwx ohwxé stay, person does not"),
        ("no trigger", "no trigger"),
    ],
)
def test_the_class_prompt_replaces_the_whole_word_in_any_case(caption, expected):
    assert class_prompt(caption, "ohwx", "person") == expected


def test_the_class_noun_is_taken_literally():
    assert class_prompt("ohwx x", "ohwx", r"\1 man") == r"\1 man x"
    assert class_prompt("a caption", "", "person") == "a caption"


def test_captions_are_composed_of_three_parts():
    assert compose_caption("ohwx", " smiling, in a hat. ", "a park,") == "ohwx, smiling, in a hat, a park"
    assert compose_caption("ohwx", "", "a park") == "ohwx, a park"


def test_the_audit_of_a_good_set_is_silent():
    good = items("ohwx, red coat, street", "ohwx, blue shirt, park", "ohwx, green hat, beach", "ohwx, suit, office", "ohwx, dress, stage")
    assert audit(good, *PROJECT) == []


def test_the_audit_names_empty_missing_and_doubled_captions_with_their_items():
    found = audit(items("", "a person, street", "photo, ohwx", "ohwx, a hat", "Ohwx, a hat."), *PROJECT)
    by_items = {f.items: f for f in found}
    assert {finding.code for finding in found} == {"no-caption", "no-trigger", "trigger-later", "same-caption"}
    assert by_items[("0001",)].severity == "error" and "1 photo without a caption" in by_items[("0001",)].message
    assert "without the trigger" in by_items[("0002",)].message
    assert "does not come first" in by_items[("0003",)].message
    assert "same caption" in by_items[("0004", "0005")].message
    assert [f.severity for f in found] == sorted(f.severity for f in found)
    assert all(f.fix for f in found)


@pytest.mark.parametrize("typo", ["ohxw", "ohwxx", "ohw", "ohvx", "owhx"])
def test_the_audit_finds_mistyped_triggers(typo):
    found = audit(items("ohwx, red coat", f"ohwx, with {typo}"), *PROJECT)
    assert [f.items for f in found] == [("0002",)] and typo in found[0].message


def test_the_audit_takes_no_real_word_for_a_typo():
    assert audit(items("zorn, red coat", "zorn, horn and corn"), "zorn", "person")[1:] == []


def test_the_audit_finds_words_that_fuse_with_the_trigger():
    places = ["street", "park", "beach", "office", "stage", "kitchen"]
    found = audit(items(*(f"ohwx, a person with glasses in the {p}" for p in places)), *PROJECT)
    assert [f.message for f in found] == ['"glasses" stands in 6 of 6 captions and will become part of the person.']
    assert str(found[0]) == found[0].message


def test_the_audit_looks_at_kept_items_only_and_says_when_the_trigger_is_bad():
    assert audit(items("", "", keep=False), *PROJECT) == []
    assert "real word" in audit([], "anna", "person")[0].message
