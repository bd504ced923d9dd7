"""What an import finds: each photo or clip with its captions, and what becomes of every other file: left out with its reason, or asked about."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.data import limits
from studio.data.incoming import beside
from studio.data.incoming.encodings import read_texts
from studio.data.incoming.folder_lists import MAX_BYTES, READ, SUFFIXES, FolderList, read_list, rule_of
from studio.data.incoming.found import Archives, Found, Refused, fold, open_archives, stem_of, why_unreadable
from studio.data.incoming.import_report import FileNote, LeftOut, Question, ReadAs
from studio.data.incoming.listing import Text
from studio.data.incoming.matching import LIST_SUFFIXES, TEXT_SUFFIXES, Caption, Matched, match_captions
from studio.data.incoming.search import Search, search_all
from studio.data.incoming.sorting import MEDIA, NOISE, OTHER, REFUSED, TEXT, Answers, Group, Person, Seen, repeats, sort_out
from studio.data.media import kinds as media
from studio.words import count as count_words

FOR_ALL = "caption-for-all"  # code of the question whether a text is the caption of all photos beside it
ENCODING = "encoding"  # code of the question how texts are to be read
_NOISE_WORDS = "it is hidden, or a system's own"


@dataclass(frozen=True)
class Source:
    """One file that may become an item. `reason` says why it can't, where that is known already."""

    found: Found
    reason: str = ""
    captions: tuple[Caption, ...] = ()  # the best first

    @property
    def name(self) -> str:
        """As shown to the person: relative to what they chose."""
        return self.found.shown

    def file_name(self) -> str:
        return self.found.name

    def sha256(self) -> str:
        """Hash of the content where it can be had without copying, else ""."""
        if not self.found.path or self.found.archive:
            return ""
        with open(self.found.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def size(self) -> int:
        return self.found.path.stat().st_size if self.found.path else 0


@dataclass
class Survey:
    """All that was given: num_given = sources + files left out + files asked about + texts that were used."""

    num_given: int = 0
    sources: list[Source] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    notes: list[FileNote] = field(default_factory=list)


def survey(
    paths: Sequence[Path | str], leave_out: Path | None = None, person: Person | None = None, answers: Answers | None = None
) -> Survey:
    """Look at everything under the given files, folders and archives, in order of name; not at what lies in the folder `leave_out`."""
    person, answers = person or Person(), answers or Answers()
    search = search_all(paths, leave_out)
    result = Survey(num_given=len(search.files))
    with open_archives() as archives:
        seen = [_look_at(found, archives) for found in search.files]
        seen, lists = _read_folder_lists(archives, seen)
        kept, groups = sort_out(seen, person, answers, lambda folder: rule_of(lists.values(), folder))
        _tell_groups(result, groups)
        _tell_others(result, kept)
        _check_count(kept)
        media_stems = {(file.found.folder, file.found.stem) for file in kept if file.kind == MEDIA}
        found_texts = [file.found for file in kept if file.kind == TEXT] + _texts_beside(search)
        texts, questions = _read_all(archives, found_texts, media_stems, answers)
    result.asked += questions
    _match(result, kept, texts, answers)
    _tell_of_the_way(result, search, kept)
    _tell_names_of_folders(result)
    result.notes += [FileNote(shown, words) for shown, found in lists.items() for words in found.notes]
    return result


def _check_count(kept: Sequence[Seen]) -> None:
    if sum(file.kind in (MEDIA, REFUSED) for file in kept) > limits.MAX_FILES:
        raise ValueError(f"that is more than {limits.MAX_FILES:,} files; import the folders with this person's photos only")


# -- what each file is


def _look_at(found: Found, archives: Archives) -> Seen:
    """What a file is, by its first bytes; whoever was named by the person is told why it is nothing."""
    if _is_noise(found):
        return Seen(found, NOISE, _NOISE_WORDS)
    looks = media.looks_like_media(found.name) or found.suffix() == ".zip" or found.chosen
    if found.fault:
        return Seen(found, REFUSED if looks or _is_folder(found) else OTHER, found.fault)
    if found.suffix() in TEXT_SUFFIXES:
        return Seen(found, TEXT)
    try:
        head = archives.read(found, media.SNIFF_BYTES)
    except (OSError, Refused) as e:
        return Seen(found, REFUSED if looks else OTHER, why_unreadable(e) if isinstance(e, OSError) else str(e))
    return _judge_head(found, head, looks)


def _judge_head(found: Found, head: bytes, looks: bool) -> Seen:
    kind = media.sniff(head)
    if kind in ("photo", "clip") and not media.is_raw(found.name):
        return Seen(found, MEDIA)
    if kind == "zip" and found.archive and found.suffix() == ".zip":
        return Seen(found, REFUSED, "it is an archive within an archive; unpack it and import it by itself")
    if looks:
        return Seen(found, REFUSED, media.refusal(found.name, head))
    return Seen(found, OTHER, beside.describe_other(fold(found.name)))


def _read_folder_lists(archives: Archives, seen: Sequence[Seen]) -> tuple[list[Seen], dict[str, FolderList]]:
    """(the files, what the trainers' lists of folders among them say by the names they are shown with)."""
    lists, files = {}, []
    for file in seen:
        if file.kind in (OTHER, TEXT) and file.found.suffix() in SUFFIXES and not file.found.fault:
            with suppress(OSError, Refused):  # then it is left out as any settings are
                if found := _read_folder_list(archives, file.found):
                    lists[file.found.shown] = found
                    file = file if found.holds_captions else replace(file, kind=OTHER, words=READ)
        files.append(file)
    return files, lists


def _read_folder_list(archives: Archives, found: Found) -> FolderList | None:
    raw = archives.read(found, MAX_BYTES + 1)
    return read_list(found.shown, raw) if len(raw) <= MAX_BYTES else None


def _is_noise(found: Found) -> bool:
    hidden = any(re.match(r"\.[^.]", part) or beside.NOISE.fullmatch(fold(part)) for part in found.parts)
    own = found.name.startswith(".") or beside.NOISE.fullmatch(fold(found.name)) is not None
    return hidden or (own and not found.chosen)


def _is_folder(found: Found) -> bool:
    return bool(found.path) and found.archive is None and not found.path.is_file()


# -- what is told


def _tell_groups(result: Survey, groups: Iterable[Group]) -> None:
    for group in groups:
        names = tuple(file.found.shown for file in group.files)
        if group.verdict == beside.ASK:
            words = f"this may be {group.rule.what} ({group.rule.whose}); or photos of the person"
            result.asked.append(Question(name=group.name, words=words, code=group.rule.code, files=names))
        else:
            words = f"{group.rule.what} ({group.rule.whose})"
            result.left_out.append(LeftOut(name=group.name, words=words, code=group.rule.code, files=names, can_come=_has_media(group)))


def _has_media(group: Group) -> bool:
    return any(file.kind == MEDIA for file in group.files)


def _tell_others(result: Survey, kept: Iterable[Seen]) -> None:
    """Name what is neither photo, clip nor text, together where the reason is one."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for file in kept:
        if file.kind in (OTHER, NOISE):
            by_reason[file.words].append(file.found.shown)
    for words, names in by_reason.items():
        code = "hidden" if words == _NOISE_WORDS else "other"
        result.left_out.append(LeftOut(name=_name_all(names), words=words, code=code, files=tuple(names)))


def _name_all(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _tell_of_the_way(result: Survey, search: Search, kept: Sequence[Seen]) -> None:
    for (folder, times), count in repeats(kept).items():
        words = f"kohya would show its {count_words(count, 'picture')} {times} times a round; here all pictures are shown equally often"
        result.notes.append(FileNote(folder, words))
    if search.num_links:
        result.notes.append(FileNote("Links", f"{search.num_links} files lie elsewhere on this computer; the links to them were followed"))
    result.notes += [FileNote(name, "it is the studio's own folder, and was passed over") for name in search.passed_over]


def _tell_names_of_folders(result: Survey) -> None:
    """Of photos without a caption, what kohya would take for one."""
    bare = Counter(source.found.shown.rpartition("/")[0] for source in result.sources if not (source.reason or source.captions))
    for folder, number in bare.items():
        if match := beside.CLASS_FOLDER.fullmatch(folder.rpartition("/")[2]):
            words = f"kohya would caption {count_words(number, 'picture')} without a text in it by the folder's name: {match[2].strip()}"
            result.notes.append(FileNote(folder, words))


# -- captions


def _texts_beside(search: Search) -> list[Found]:
    """The texts that lie beside a photo which was chosen by name, and were not chosen themselves."""
    chosen = [found for found in search.files if found.chosen and not found.fault]
    known = {(found.root, found.name) for found in chosen}
    folders = sorted({Path(found.root) for found in chosen})
    return [found for folder in folders for found in _texts_in(folder) if (found.root, found.name) not in known]


def _texts_in(folder: Path) -> list[Found]:
    try:
        paths = [path for path in sorted(folder.iterdir()) if path.suffix.casefold() in TEXT_SUFFIXES and path.is_file()]
    except OSError:
        return []
    return [Found(str(folder), (), path.name, path.name, path=path, given=False) for path in paths]


def _read_all(
    archives: Archives, found: Sequence[Found], media_stems: Container[tuple[object, str]], answers: Answers
) -> tuple[list[Text], list[Question]]:
    """(what the texts say, how the person is asked to read others); those of one folder are read in one encoding where it is not marked."""
    folders: dict[object, list[tuple[Found, bytes]]] = defaultdict(list)
    texts = []
    for file in found:
        most = limits.MAX_LIST_BYTES if file.suffix() in LIST_SUFFIXES else limits.MAX_CAPTION_BYTES
        try:
            folders[file.folder].append((file, archives.read(file, most)))
        except (OSError, Refused) as e:
            texts.append(Text(file, "", fault=why_unreadable(e) if isinstance(e, OSError) else str(e)))
    questions = []
    for files in folders.values():
        readings = read_texts([raw for _, raw in files], answers.encoding)
        read = {
            file: Text(file, reading.text, reading.encoding, reading.fault, reading.possible) for (file, _), reading in zip(files, readings)
        }
        doubtful = [text for text in read.values() if text.possible and _may_hold_captions(text.found, media_stems)]
        for question, asked in _ask_encodings(doubtful):
            if encoding := answers.encodings.get(question.name, ""):
                named = [(file, raw) for file, raw in files if read[file] in asked]
                again = read_texts([raw for _, raw in named], encoding)
                read |= {file: Text(file, reading.text, reading.encoding, reading.fault) for (file, _), reading in zip(named, again)}
            elif fold(question.name) not in {fold(name) for name in answers.leave}:
                questions.append(question)
        texts += read.values()
    return texts, questions


def _may_hold_captions(found: Found, media_stems: Container[tuple[object, str]]) -> bool:
    """Whether it is worth a question: a text that was given, and is called as a photo beside it, or is a list."""
    is_own = any((found.folder, stem) in media_stems for stem in (found.stem, fold(stem_of(found.stem))))
    return found.given and (is_own or found.suffix() in LIST_SUFFIXES)


def _ask_encodings(doubtful: Sequence[Text]) -> Iterable[tuple[Question, list[Text]]]:
    """One question for the texts of a folder among which the same encodings are possible, and those texts."""
    alike: dict[tuple[str, ...], list[Text]] = defaultdict(list)
    for text in doubtful:
        alike[tuple(way.encoding for way in text.possible)].append(text)
    for encodings, texts in alike.items():
        first = texts[0].found.shown
        name = first if len(texts) == 1 else f"{first.rpartition('/')[0] or first} ({' or '.join(encodings[:2])})"
        readings = tuple(ReadAs(encoding=way.encoding, sample=way.sample) for way in texts[0].possible)
        words = (
            "its encoding can't be told" if len(texts) == 1 else f"the encoding of these texts can't be told; {first} is the first of them"
        )
        files = tuple(text.found.shown for text in texts)
        yield Question(name=name, words=words, code=ENCODING, files=files, readings=readings), texts


def _match(result: Survey, kept: Sequence[Seen], texts: Sequence[Text], answers: Answers) -> None:
    items = [file for file in kept if file.kind in (MEDIA, REFUSED)]
    photos = [file for file in items if file.kind == MEDIA]
    matched = match_captions([file.found for file in photos], texts, answers.take)
    numbers = {id(file): place for place, file in enumerate(photos)}
    for file in items:
        captions = matched.captions.get(numbers[id(file)], []) if file.kind == MEDIA else []
        result.sources.append(Source(file.found, file.words, tuple(captions)))
    _tell_texts(result, matched, answers)
    used = {id(found) for found in matched.used}
    shown = [text for text in texts if text.encoding and id(text.found) in used]
    result.notes += [FileNote(text.found.shown, f"read as {text.encoding}: {' '.join(text.text[:60].split())}") for text in shown]


def _tell_texts(result: Survey, matched: Matched, answers: Answers) -> None:
    given = [found for found in matched.used if found.given]
    result.texts += [found.shown for found in given]
    result.notes += [FileNote(found.shown, words) for found, words in matched.notes]
    by_reason: dict[str, list[str]] = defaultdict(list)
    asked = {name for question in result.asked if question.code == ENCODING for name in question.files}
    for found, words in matched.unused:
        if found.given and found.shown not in asked:
            by_reason[words].append(found.shown)
    for words, names in by_reason.items():
        result.left_out.append(LeftOut(name=_name_all(names), words=words, code="text", files=tuple(names)))
    for found, count in matched.for_all:
        words = f"it belongs to no photo by its name; is it the caption of the {count} beside it that have none?"
        _ask_for_all(result, found, words, answers)


def _ask_for_all(result: Survey, found: Found, words: str, answers: Answers) -> None:
    if fold(found.shown) in {fold(name) for name in answers.leave}:
        result.left_out.append(LeftOut(name=found.shown, words="you left it out", code="text", files=(found.shown,)))
    else:
        result.asked.append(Question(name=found.shown, words=words, code=FOR_ALL, files=(found.shown,)))
