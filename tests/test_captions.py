"""Triggers, captions and class prompts."""

import pytest

from studio.data.captions import rules
from studio.data.captions.rules import check_caption, check_trigger, class_prompt, compose_caption, suggest_trigger


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
