"""Which caption belongs to which photo: by folder and name beside it, by a list that names it, by the text that was chosen with it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from studio.data.captions.whole_words import whole_word
from studio.data.incoming import carriers
from studio.data.incoming.found import Found, fold, stem_of
from studio.data.incoming.listing import Entry, Listing, Text, TextIndex, lines_of, path_parts
from studio.doors import members

OWN_SUFFIXES = (".txt", ".caption", ".cap", ".tags", ".text", ".prompt")  # of a text beside its photo, the first ones before the others
LIST_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")
TEXT_SUFFIXES = (*OWN_SUFFIXES, *LIST_SUFFIXES)
_FOR_ALL = ("prompt", "prompts", "caption", "captions", "concept")  # stems of a text that may be meant for all photos of its folder


@dataclass(frozen=True)
class Caption:
    """One caption of a photo, and where it stands."""

    text: str
    source: Found


@dataclass
class Matched:
    """What became of the texts."""

    captions: dict[int, list[Caption]] = field(default_factory=lambda: defaultdict(list))  # by the photo's place in the list of media
    used: list[Found] = field(default_factory=list)
    unused: list[tuple[Found, str]] = field(default_factory=list)  # with the reason
    for_all: list[tuple[Found, int]] = field(default_factory=list)  # texts that may be meant for all photos beside them, which have none
    notes: list[tuple[Found, str]] = field(default_factory=list)


def match_captions(media: Sequence[Found], texts: Sequence[Text], take_for_all: Iterable[str] = ()) -> Matched:
    """The captions of each photo, the best first. take_for_all: texts, as they are shown, that are the caption of all photos beside them."""
    matched, index = Matched(), TextIndex(texts)
    readable = [text for text in texts if not text.fault]
    matched.unused += [(text.found, text.fault) for text in texts if text.fault]
    left = _match_own(matched, media, [text for text in readable if text.found.suffix() in OWN_SUFFIXES])
    left = _match_lists(matched, media, [*[text for text in readable if text.found.suffix() in LIST_SUFFIXES], *left], index)
    left = _match_chosen(matched, media, left)
    _match_rest(matched, media, left, {fold(name) for name in take_for_all})
    return matched


# -- a text beside its photo


def _match_own(matched: Matched, media: Sequence[Found], texts: Sequence[Text]) -> list[Text]:
    """Give each photo the texts of its folder that are called as it is: photo.jpg.txt before photo.txt. The texts that are left."""
    by_name, by_stem = _places(media, lambda found: fold(found.name)), _places(media, lambda found: found.stem)
    left, twins = [], _twins(texts)
    for text in sorted(texts, key=lambda text: OWN_SUFFIXES.index(text.found.suffix())):
        key = (text.found.folder, text.found.stem)
        if key in by_name:
            _give(matched, media, by_name[key], text, twins[_place(text.found)])
        elif key in by_stem:
            _give(matched, media, by_stem[key], text, twins[_place(text.found)])
        else:
            left.append(text)
    for captions in matched.captions.values():
        captions.sort(key=lambda caption: fold(stem_of(caption.source.name)) == fold(stem_of(stem_of(caption.source.name))))
    return left


def _places(media: Sequence[Found], name_of: Callable[[Found], str]) -> Mapping[tuple[object, str], list[int]]:
    found: dict[tuple[object, str], list[int]] = defaultdict(list)
    for place, file in enumerate(media):
        found[file.folder, name_of(file)].append(place)
    return found


def _twins(texts: Sequence[Text]) -> Mapping[tuple[object, str], list[Found]]:
    """The texts of one name in one folder, in order."""
    found: dict[tuple[object, str], list[Found]] = defaultdict(list)
    for text in texts:
        found[_place(text.found)].append(text.found)
    return found


def _place(found: Found) -> tuple[object, str]:
    return found.folder, fold(found.name)


def _give(matched: Matched, media: Sequence[Found], places: Sequence[int], text: Text, twins: Sequence[Found]) -> None:
    """Of several photos of one name in one archive, the second text of that name is the second one's."""
    matched.used.append(text.found)
    names = {fold(media[place].name) for place in places}
    if len(places) == len(twins) > 1 and len(names) == 1:
        places = [places[twins.index(text.found)]]
    for place in places:
        matched.captions[place].append(Caption(text.text, text.found))


# -- lists


def _match_lists(matched: Matched, media: Sequence[Found], texts: Sequence[Text], index: TextIndex) -> list[Text]:
    """Give photos what lists say of them. The texts that are no list and were not read with one."""
    left, used = [], set()
    for text in texts:
        listing = _read_listing(text, index)
        if listing is None:
            left.append(text)
            continue
        used |= {id(found) for found in listing.used}
        if fault := listing.fault or _use(matched, media, text, listing):
            matched.unused.append((text.found, fault))
        else:
            matched.used.append(text.found)
        matched.used += [found for found in listing.used if found not in matched.used]
    return [text for text in left if id(text.found) not in used]


def _read_listing(text: Text, index: TextIndex) -> Listing | None:
    """The captions in a text by what they belong to; None where it is no list of captions."""
    for carrier in members(carriers.__name__, ("read",)):
        if (listing := carrier.read(text, index)) is not None:
            return listing
    return None


def _use(matched: Matched, media: Sequence[Found], text: Text, listing: Listing) -> str:
    """Give photos what a list says of them; why none of it could be given, or ""."""
    by_name = _by_file_name(media)
    missing = []
    for entry in listing.entries:
        places = _in_folder(entry, media) if entry.is_folder else _find(entry, text.found, media, by_name)
        if not places:
            missing.append(entry.reference)
        for place in places:
            if not (entry.is_folder and matched.captions[place]):
                captions = (stem_of(media[place].name),) if entry.by_name else entry.captions
                matched.captions[place] += [Caption(caption, text.found) for caption in captions]
    count = f"{len(missing)} of its {len(listing.entries)} captions found no photo here"
    words = f"{count}: {', '.join(missing[:20])}{' and more' if len(missing) > 20 else ''}"
    if missing and len(missing) == len(listing.entries):
        return words
    matched.notes += [(text.found, problem) for problem in listing.problems]
    matched.notes += [(text.found, words)] if missing else []
    return ""


def _by_file_name(media: Sequence[Found]) -> Mapping[str, list[int]]:
    """{name, and stem: places}; a list may leave the ending out."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, file in enumerate(media):
        for name in {fold(file.name), file.stem}:
            found[name].append(place)
    return found


def _find(entry: Entry, source: Found, media: Sequence[Found], by_name: Mapping[str, list[int]]) -> list[int]:
    """The photos that a list means: by the path from the list; else those whose path ends most like the path of another computer."""
    parts = path_parts(entry.reference)
    choices = by_name.get(parts[-1], []) if parts else []
    here = (*source.folder[1], *parts)
    exact = [place for place in choices if media[place].root == source.root and (*media[place].folder[1], parts[-1]) == here]
    if exact:
        return exact
    ends = {place: _common_end((*_whole_path(media[place])[:-1], parts[-1]), parts) for place in choices}
    best = [place for place in choices if ends[place] == max(ends.values())]
    same_archive = [place for place in best if media[place].root == source.root]
    best = same_archive or best
    names = {_whole_path(media[place]) for place in best}
    return best if len(names) == 1 else []


def _whole_path(found: Found) -> tuple[str, ...]:
    return (*path_parts(found.root), *found.folder[1], fold(found.name))


def _common_end(a: Sequence[str], b: Sequence[str]) -> int:
    pairs = zip(reversed(a), reversed(b))
    return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(a), len(b)))


def _in_folder(entry: Entry, media: Sequence[Found]) -> list[int]:
    """Everything below the folder that a list means, wherever that folder lay on another computer."""
    parts = path_parts(entry.reference)
    if not parts:
        return []
    return [place for place, file in enumerate(media) if parts[-1] in _whole_path(file)[:-1]]


# -- what was chosen one by one, and what is left


def _match_chosen(matched: Matched, media: Sequence[Found], texts: Sequence[Text]) -> list[Text]:
    """Texts chosen by name belong to the photo of that name chosen with them, where there is one of each."""
    free = [place for place in range(len(media)) if not media[place].parts and not matched.captions[place]]
    left = []
    for text in texts:
        same = [place for place in free if text.found.stem in (media[place].stem, fold(media[place].name))]
        rivals = [other for other in texts if other.found.stem == text.found.stem]
        if text.found.parts or not text.found.given or len(same) != 1 or len(rivals) != 1:
            left.append(text)
            continue
        matched.used.append(text.found)
        matched.captions[same[0]].append(Caption(text.text, text.found))
    return left


def _match_rest(matched: Matched, media: Sequence[Found], texts: Sequence[Text], take: set[str]) -> None:
    """Texts without a photo: named, or asked about where they may be meant for all photos beside them."""
    for text in texts:
        bare = [place for place, file in enumerate(media) if file.folder == text.found.folder and not matched.captions[place]]
        if not text.found.given:
            continue
        if fold(text.found.shown) in take and bare:
            lines = lines_of(text.text)
            for place in bare:
                matched.captions[place] += [Caption(line, text.found) for line in lines]
            matched.used.append(text.found)
        elif bare and _may_be_for_all(text):
            matched.for_all.append((text.found, len(bare)))
        else:
            matched.unused.append((text.found, _why_unused(text, media)))


def _may_be_for_all(text: Text) -> bool:
    folders = {fold(part) for part in (*text.found.parts[-1:], path_parts(text.found.root)[-1])}
    return bool(text.text.strip()) and text.found.suffix() == ".txt" and not is_test_prompts(text.text) and (
        text.found.stem in _FOR_ALL or text.found.stem in folders
    )  # fmt: skip


TEST_FLAGS = re.compile(r"(?:^|\s)--[a-z]{1,2}\s+\S.*")  # of kohya's and musubi's test prompts, to the end of the line


def is_test_prompts(text: str) -> bool:
    """Whether it holds prompts for kohya's or musubi's test pictures (--w 832 --h 480 --d 42)."""
    return bool(TEST_FLAGS.search(text))


def _why_unused(text: Text, media: Sequence[Found]) -> str:
    if text.found.suffix() in LIST_SUFFIXES:
        return "no captions were found in it"
    if is_test_prompts(text.text):
        return "it holds prompts for test pictures (--w, --h, --d), not captions; a comparison can draw them"
    if text.found.chosen and any(text.found.stem == file.stem for file in media):
        return "it is a text without a photo or clip of the same name beside it, and more than one elsewhere: drop or name their folders instead"
    return "it is a text without a photo or clip of the same name beside it"


# -- several captions in one text


def split_variants(text: str, trigger: str) -> tuple[tuple[str, ...], bool]:
    """(the captions in a text, whether its lines were joined to one): lines that all begin alike say the same in other words."""
    lines = [" ".join(line.split()) for line in lines_of(text)]
    if len(lines) < 2:
        return tuple(lines), False
    starts = {fold(_first_word(line)) for line in lines}
    has_trigger = bool(trigger) and all(whole_word(trigger, any_case=True).match(line.lstrip("[<{ ")) for line in lines)
    if has_trigger or (len(starts) == 1 and len(next(iter(starts))) > 2):
        return tuple(dict.fromkeys(lines)), False
    return (" ".join(lines),), True


def _first_word(line: str) -> str:
    return re.split(r"[\s,.;:、。，]", line, maxsplit=1)[0].strip("[]<>{}")
