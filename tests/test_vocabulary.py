"""One word for one thing: plurals, articles, which word is proposed and what a caption becomes; words with their endings; phrases around them."""

import pytest
from people_kit import make_item, make_look

from studio.data.auditing.phrases import find_phrases, stem
from studio.data.captions.writing.asking import with_article
from studio.data.captions.writing.vocabulary import plural, propose, replacements, unify
from studio.errors import Problem


@pytest.mark.parametrize(("one", "several"), [
    ("coat", "coats"), ("dress", "dresses"), ("box", "boxes"), ("bench", "benches"), ("brush", "brushes"), ("city", "cities"), ("toy", "toys"),
    ("jeans", "jeans"), ("sitting", "sitting"), ("T-shirt", "T-shirts"), ("red coat", "red coats"), ("glass", "glasses"),
])  # fmt: skip
def test_the_plural_of_a_word(one, several):
    assert plural(one) == several


@pytest.mark.parametrize(("caption", "instead", "unified"), [
    ("ohwx, a jacket", {"jacket": "coat"}, "ohwx, a coat"),
    ("ohwx, two jackets", {"jacket": "coat"}, "ohwx, two coats"),
    ("ohwx, a jacket", {"jacket": "overcoat"}, "ohwx, an overcoat"),
    ("ohwx, an overcoat", {"overcoat": "coat"}, "ohwx, a coat"),
    ("ohwx, An overcoat", {"overcoat": "coat"}, "ohwx, A coat"),
    ("ohwx, an outfit", {"outfit": "uniform"}, "ohwx, a uniform"),
    ("ohwx, a hat", {"hat": "umbrella"}, "ohwx, an umbrella"),
    ("ohwx, a jacketed man", {"jacket": "coat"}, "ohwx, a jacketed man"),
    ("ohwx, a rain-jacket", {"jacket": "coat"}, "ohwx, a rain-jacket"),
    ("ohwx, navy trousers", {"navy": "navy blue"}, "ohwx, navy blue trousers"),
    ("ohwx, navy blue trousers", {"navy": "navy blue"}, "ohwx, navy blue trousers"),
    ("ohwx, a leather jacket, a jacket", {"jacket": "coat", "leather jacket": "biker coat"}, "ohwx, a biker coat, a coat"),
    ("jacket, a jacket", {"jacket": "coat"}, "jacket, a coat"),  # the trigger stays
    ("ohwx", {"ohwx": "coat"}, "ohwx"),
    ("ohwx, a Jacket", {"jacket": "coat"}, "ohwx, a coat"),
])  # fmt: skip
def test_a_caption_with_one_word_for_one_thing(caption, instead, unified):
    assert unify(caption, instead) == unified


def captions(*written):
    """Items of (caption, who wrote it)."""
    look = make_look()
    return [make_item(f"{n:04d}", look, caption=words, caption_source=source) for n, (words, source) in enumerate(written, 1)]


def found(*written):
    return [
        (one.chosen, [(term.word, term.count, term.automatic) for term in one.terms], one.num_changed)
        for one in propose(captions(*written))
    ]


def test_of_spellings_the_most_used_is_proposed_and_the_person_s_own_wins():
    assert found(("ohwx, close-up", "auto"), ("ohwx, close up", "auto"), ("ohwx, close-up", "auto")) == [
        ("close-up", [("close-up", 2, 2), ("close up", 1, 1)], 1),
    ]  # fmt: skip
    assert found(("ohwx, close-up", "auto"), ("ohwx, close-up", "auto"), ("ohwx, close up", "hand")) == [
        ("close up", [("close-up", 2, 2), ("close up", 1, 0)], 2),
    ]  # fmt: skip


def test_where_no_automatic_caption_would_change_nothing_is_proposed():
    assert found(("ohwx, close-up", "hand"), ("ohwx, close up", "hand")) == []
    assert found(("ohwx, close-up", "auto"), ("ohwx, close-up", "auto")) == [] and found() == []


def test_a_capital_alone_is_no_other_word():
    assert found(("ohwx, Close-up", "auto"), ("ohwx, close-up", "auto")) == []


def test_a_choice_that_is_none_any_more_is_refused():
    proposals = propose(captions(("ohwx, close-up", "auto"), ("ohwx, close up", "auto"), ("ohwx, close-up", "auto")))
    (key,) = [one.key for one in proposals]
    assert key == "close up = close-up" and proposals[0].others == ("close up",)
    assert replacements(proposals, {key: "close-up"}) == {"close up": "close-up"}
    assert replacements(proposals, {}) == {}
    for accepted in ({key: "closeup"}, {"hat = cap": "hat"}):
        with pytest.raises(Problem, match="The captions have changed since this list was made"):
            replacements(proposals, accepted)


@pytest.mark.parametrize(("noun", "words"), [
    ("woman", "a woman"), ("elderly man", "an elderly man"), ("Old man", "an Old man"), ("the bride", "the bride"), ("A nurse", "A nurse"), ("an actor", "an actor"),
])  # fmt: skip
def test_a_class_noun_gets_its_article(noun, words):
    assert with_article(noun) == words


# -- words with their endings


@pytest.mark.parametrize("forms", [
    ("smile", "smiles", "smiled", "smiling", "smile's"), ("city", "cities"), ("dress", "dresses"), ("box", "boxes"), ("bench", "benches"),
    ("brush", "brushes", "brushed", "brushing"), ("run", "runs", "running"), ("stop", "stopped", "stopping"), ("building", "buildings"),
])  # fmt: skip
def test_a_word_and_its_forms_are_one(forms):
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("coat", "cat"), ("glass", "glad"), ("red", "ring"), ("sing", "see"), ("king", "kite"), ("dies", "die")]
)
def test_other_words_are_not(one, other):
    assert stem(one) != stem(other)


@pytest.mark.parametrize(("written", "phrases"), [
    (["ohwx, a red coat"] * 5, {"a red coat": 5}),
    (["ohwx, a red coat, a hat"] * 5, {"a hat": 5, "a red coat": 5}),  # a comma parts them
    (["ohwx, a coat of the 5 kings"] * 5, {"a coat": 5, "kings": 5}),  # a number parts, and so do words that say nothing
    (["ohwx, red_coat"] * 5, {"red coat": 5}),
    (["ohwx, hats"] * 3 + ["ohwx, hat"] * 2, {"hats": 5}),  # as it is mostly written
    (["ohwx, hat"] * 4 + ["ohwx, cap"], {}),
    (["ohwx"] * 5, {}),
    (["ohwx, the"] * 5, {}),
    ([], {}),
])  # fmt: skip
def test_phrases_of_nearly_all_captions(written, phrases):
    assert {phrase.text: len(phrase.members) for phrase in find_phrases(written, 0.85, ["ohwx"])} == phrases
