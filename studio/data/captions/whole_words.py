"""A word found as a whole: where spaces stand between words, and in scripts that write none, between any two letters."""

import functools
import re
import unicodedata

# Thai, Lao, Myanmar, Khmer; kana, bopomofo, hanzi, hangul (endings follow a name without a space), wide forms
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_JOINED = rf"[^\W{_UNSPACED}]"  # a letter or digit that belongs to the word beside it
WORD = rf"(?:{_JOINED}+(?:['’-]{_JOINED}+)*|[{_UNSPACED}]+)"


@functools.lru_cache(maxsize=512)
def whole_word(word: str, any_case: bool = False) -> re.Pattern[str]:
    """Pattern of a word that is no part of a longer one. "ohwx" stands in "ohwxの女性", and not in "ohwx2"."""
    before = rf"(?<!{_JOINED})" if is_joined(word[:1]) else ""
    after = rf"(?!{_JOINED})" if is_joined(word[-1:]) else ""
    return re.compile(before + re.escape(word) + after, re.IGNORECASE if any_case else 0)


def plain(caption: str) -> str:
    """A caption as it is searched: lower case, tags with spaces for their underscores."""
    return unicodedata.normalize("NFC", caption).casefold().replace("_", " ").replace("\\", "")


def words_in(text: str) -> list[str]:
    """The words of a text in lower case; what is written without spaces is one as long as its script lasts."""
    return re.findall(WORD, text.casefold())


def is_unspaced(letter: str) -> bool:
    """Whether a letter is of a script that writes no spaces between words."""
    return re.fullmatch(rf"[{_UNSPACED}]", letter) is not None


def is_joined(letter: str) -> bool:
    """Whether a letter or digit belongs to the word beside it; signs do not, and letters of scripts without spaces."""
    return re.fullmatch(_JOINED, letter) is not None
