"""Tells the person's photos from what other trainers lay beside them, by the table of rules and by what lies around: left out, asked about, or in."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from studio.data.incoming import beside
from studio.data.incoming.beside import ASK, CERTAIN, CLASS_FOLDER, CLASSES, DRAWN, RULES, TAKE, TWINS, Rule
from studio.data.incoming.found import Found, fold, stem_of
from studio.data.incoming.listing import path_parts

MEDIA, TEXT, OTHER, REFUSED, NOISE = "media", "text", "other", "refused", "noise"
OUT = "out"
_ALIKE = 0.8  # of the pictures of a folder that are called as photos outside it are
_FEW = 2  # pictures, from which on equal names say something
Folder = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Seen:
    """A file and what it is; `words` say why it can't be an item, where that is known."""

    found: Found
    kind: str
    words: str = ""


@dataclass(frozen=True)
class Person:
    """Whose photos are looked for."""

    trigger: str = ""
    class_noun: str = ""


@dataclass(frozen=True)
class Answers:
    """What the person said of groups, by their names, or by the names of folders and files as they are shown.

    encoding: of all texts that are not marked; encodings: of those that were asked about, by the question's name.
    """

    take: frozenset[str] = frozenset()
    leave: frozenset[str] = frozenset()
    encoding: str = ""
    encodings: Mapping[str, str] = field(default_factory=dict)

    def verdict(self, name: str, files: Iterable[Found], otherwise: str) -> str:
        """TAKE, OUT or what is done without an answer."""
        if _is_named(name, files, self.take):
            return TAKE
        return OUT if _is_named(name, files, self.leave) else otherwise


def _is_named(name: str, files: Iterable[Found], names: Iterable[str]) -> bool:
    wanted = {fold(other.replace("\\", "/").rstrip("/")) for other in names}
    return fold(name) in wanted or (bool(wanted) and all(_is_below(fold(file.shown), wanted) for file in files))


def _is_below(shown: str, wanted: set[str]) -> bool:
    parts = shown.split("/")
    return any("/".join(parts[:n]) in wanted for n in range(1, len(parts) + 1))


@dataclass
class Group:
    """Files that one rule is about: they are left out, or the person is asked."""

    name: str
    rule: Rule
    verdict: str  # OUT or ASK
    files: list[Seen] = field(default_factory=list)


class Tree:
    """All files by their folders."""

    def __init__(self, files: Sequence[Seen]) -> None:
        self.files = files
        self.by_folder: dict[Folder, list[Seen]] = defaultdict(list)
        for file in files:
            self.by_folder[file.found.folder].append(file)

    @cached_property
    def folders(self) -> list[Folder]:
        """Every folder below what was chosen, the upper ones first."""
        known = {(root, parts[:n]) for root, parts in self.by_folder for n in range(1, len(parts) + 1)}
        return sorted(known, key=lambda folder: (folder[0], len(folder[1]), folder[1]))

    @cached_property
    def _below(self) -> Mapping[Folder, list[Seen]]:
        found: dict[Folder, list[Seen]] = defaultdict(list)
        for (root, parts), files in self.by_folder.items():
            for n in range(len(parts) + 1):
                found[root, parts[:n]] += files
        return found

    @cached_property
    def _children(self) -> Mapping[Folder, list[Folder]]:
        found: dict[Folder, list[Folder]] = defaultdict(list)
        for root, parts in self.folders:
            found[root, parts[:-1]].append((root, parts))
        return found

    def below(self, folder: Folder) -> list[Seen]:
        return self._below[folder]

    def media_below(self, folder: Folder) -> list[Seen]:
        return [file for file in self.below(folder) if file.kind == MEDIA]

    def children(self, folder: Folder) -> list[Folder]:
        return self._children.get(folder, [])

    def captioned(self, folder: Folder) -> set[str]:
        """Stems of texts in a folder, those of photo.jpg.txt among them."""
        return self._captioned[folder]

    @cached_property
    def _captioned(self) -> Mapping[Folder, set[str]]:
        found: dict[Folder, set[str]] = defaultdict(set)
        for file in self.files:
            if file.kind == TEXT:
                found[file.found.folder] |= {file.found.stem, stem_of(file.found.stem)}
        return found

    @cached_property
    def models(self) -> Mapping[Folder, set[str]]:
        """Stems of model files by their folders."""
        found: dict[Folder, set[str]] = defaultdict(set)
        for file in self.files:
            if file.found.suffix() in beside.MODEL_NAMES:
                found[file.found.folder].add(file.found.stem)
        return found


def parent(folder: Folder) -> Folder:
    return folder[0], folder[1][:-1]


def sort_out(
    files: Sequence[Seen], person: Person, answers: Answers, says: Callable[[Sequence[str]], Rule | None] = lambda folder: None
) -> tuple[list[Seen], list[Group]]:
    """(the files that come in, the groups of the others). Every file is in one of them.

    says: what trainers' lists say that a folder holds, where it is no photos; the folder by the parts of its path."""
    tree = Tree(files)
    groups: list[Group] = []
    gone: set[int] = set()
    for group in (*_folder_groups(tree, person, says), *_file_groups(tree)):
        group.files = [file for file in group.files if id(file) not in gone]
        verdict = answers.verdict(group.name, [file.found for file in group.files], group.verdict)
        if not group.files or verdict == TAKE:
            continue
        group.verdict = verdict
        groups.append(group)
        gone |= {id(file) for file in group.files}
    return [file for file in files if id(file) not in gone], groups


# -- by folder


def _folder_groups(tree: Tree, person: Person, says: Callable[[Sequence[str]], Rule | None]) -> Iterable[Group]:
    grouped: set[Folder] = set()
    for folder in tree.folders:
        if any((folder[0], folder[1][:n]) in grouped for n in range(len(folder[1]))):
            continue
        said = says((*path_parts(folder[0]), *folder[1]))
        rule, verdict = (said, OUT) if said else _judge(tree, folder, person)
        if rule and verdict != TAKE:
            grouped.add(folder)
            yield Group(_shown_folder(tree, folder), rule, verdict, tree.below(folder))


def _shown_folder(tree: Tree, folder: Folder) -> str:
    found = tree.below(folder)[0].found
    rest = len(found.parts) - len(folder[1])
    return "/".join(found.shown.split("/")[: -(rest + 1)])


def _judge(tree: Tree, folder: Folder, person: Person) -> tuple[Rule | None, str]:
    """The rule that a folder falls under, and what it says: OUT, ASK or TAKE."""
    name = folder[1][-1]
    for rule in RULES:
        if rule.is_folder(name):
            if _is_certain(rule, tree, folder):
                return rule, OUT
            if rule.otherwise == ASK:
                return rule, ASK if tree.media_below(folder) else OUT
    if verdict := _judge_class(tree, folder, person):
        return beside.ANY_CLASS, verdict
    if _is_unnamed_twin(tree, folder):
        return beside.TWIN_FOLDER, ASK
    return None, TAKE


def _is_certain(rule: Rule, tree: Tree, folder: Folder) -> bool:
    return {CERTAIN: _always, TWINS: _are_twins, CLASSES: _has_classes, DRAWN: _are_drawn}[rule.when](tree, folder)


def _always(tree: Tree, folder: Folder) -> bool:
    return True


def _are_twins(tree: Tree, folder: Folder) -> bool:
    """Whether its pictures are called as photos outside, and none has a caption of its own."""
    inside = tree.media_below(folder)
    within = {id(file) for file in inside}
    outside = {file.found.stem for file in tree.media_below((folder[0], ())) if id(file) not in within}
    return bool(inside) and not _num_captioned(tree, inside) and _share_called_alike(inside, outside) >= _ALIKE


def _num_captioned(tree: Tree, media: Sequence[Seen]) -> int:
    return sum(file.found.stem in tree.captioned(file.found.folder) for file in media)


def _share_called_alike(media: Sequence[Seen], stems: set[str]) -> float:
    """The share of pictures named as those stems, or as one of them and a word: 001_0, 001.pose."""
    alike = sum(file.found.stem in stems or re.sub(r"[._ -]\w+$", "", file.found.stem) in stems for file in media)
    return alike / len(media) if media else 0.0


def _has_classes(tree: Tree, folder: Folder) -> bool:
    """Whether kohya's folders (1_woman) lie in it, or beside it, or in what lies beside it."""
    near = [*tree.children(folder), *tree.children(parent(folder))]
    near += [child for other in tree.children(parent(folder)) for child in tree.children(other)]
    return any(CLASS_FOLDER.fullmatch(other[1][-1]) for other in near)


def _are_drawn(tree: Tree, folder: Folder) -> bool:
    rules = [rule for rule in RULES if rule.code == "samples" and rule.file]
    media = tree.media_below(folder)
    drawn = sum(any(rule.is_file(fold(file.found.name)) for rule in rules) for file in media)
    return drawn * 2 > len(media)


def _judge_class(tree: Tree, folder: Folder, person: Person) -> str:
    """Of kohya's folders beside each other: the person's is the one with the trigger; "" where nothing speaks against a folder."""
    words = _class_words(folder)
    others = [_class_words(other) for other in tree.children(parent(folder)) if other != folder]
    if not words or not any(others):
        return ""
    trigger = fold(person.trigger)
    if trigger in words:
        return ""
    own = [other for other in others if trigger and trigger in other]
    general = [set(fold(person.class_noun).split()), *map(set, own)]
    if own:
        return OUT if any(set(words) <= other for other in general) else ASK
    return ASK if any(set(words) < set(other) for other in others) else ""


def _class_words(folder: Folder) -> list[str]:
    match = CLASS_FOLDER.fullmatch(folder[1][-1])
    return re.split(r"[\s_,]+", match[2].strip()) if match else []


def _is_unnamed_twin(tree: Tree, folder: Folder) -> bool:
    """Whether it holds no captions, and its pictures are called as captioned photos in one folder beside or above it."""
    media = [file for file in tree.by_folder.get(folder, []) if file.kind == MEDIA]
    if len(media) < _FEW or _num_captioned(tree, media):
        return False
    for other in (parent(folder), *tree.children(parent(folder))):
        theirs = [file for file in tree.by_folder.get(other, []) if file.kind == MEDIA]
        captioned = {file.found.stem for file in theirs if file.found.stem in tree.captioned(other)}
        if other != folder and _share_called_alike(media, captioned) >= _ALIKE:
            return True
    return False


# -- by file


def _file_groups(tree: Tree) -> Iterable[Group]:
    groups: dict[tuple[Folder, str], Group] = {}
    for file in tree.files:
        rule, verdict = _judge_file(tree, file)
        if rule:
            name = _shown_place(file.found, rule)
            groups.setdefault((file.found.folder, rule.code), Group(name, rule, verdict)).files.append(file)
    return groups.values()


def _shown_place(found: Found, rule: Rule) -> str:
    folder = found.shown.rpartition("/")[0]
    return f"{folder} ({rule.code})" if folder else rule.code


def _judge_file(tree: Tree, file: Seen) -> tuple[Rule | None, str]:
    if file.kind != MEDIA:
        return None, TAKE
    for rule in RULES:
        if rule.is_file(fold(file.found.name)):
            return rule, OUT
    if file.found.stem in tree.models[file.found.folder] and file.found.stem not in tree.captioned(file.found.folder):
        return beside.MODEL_PREVIEW, ASK
    return None, TAKE


def repeats(files: Iterable[Seen]) -> Counter[tuple[str, int]]:
    """{(folder as it is shown, how many times kohya shows each of its pictures)} of the folders that say so, with the number of pictures."""
    found: Counter[tuple[str, int]] = Counter()
    for file in files:
        for depth, part in enumerate(file.found.parts):
            match = CLASS_FOLDER.fullmatch(part)
            if match and file.kind == MEDIA and int(match[1]) > 1:
                shown = file.found.shown.split("/")
                found["/".join(shown[: len(shown) - len(file.found.parts) + depth]), int(match[1])] += 1
    return found
