"""What other trainers lay beside photos, as one table: by the names of folders and files, and by what makes it certain.

Whoever knows another trainer's habit adds a row. Names are compared whole, in lower case and in one form of Unicode.
"""

import re
from dataclasses import dataclass

CERTAIN = "certain"  # nobody else names it so
TWINS = "twins"  # when its pictures are called as photos outside it are, and bring no captions of their own
CLASSES = "classes"  # when its folders are called as kohya's are, 1_woman, or stand beside such
DRAWN = "drawn"  # when its pictures are called as a trainer calls those it draws
ASK, TAKE = "ask", "take"  # where it is not certain: the person says it, or it comes in like any other


@dataclass(frozen=True)
class Rule:
    """One habit. `what` is said of it: "... was left out: it holds <what>", or asked: "does it hold <what>?"."""

    code: str
    whose: str
    what: str
    folder: str = ""  # pattern of the whole name of a folder; all below it goes with it
    file: str = ""  # pattern of the whole name of a file
    when: str = CERTAIN
    otherwise: str = ASK

    def is_folder(self, name: str) -> bool:
        return bool(self.folder) and re.fullmatch(self.folder, name) is not None

    def is_file(self, name: str) -> bool:
        return bool(self.file) and re.fullmatch(self.file, name) is not None


_PICTURE = r"\.(?:png|jpe?g|webp|bmp|gif|mp4|webm|mov)"
REGULAR = "pictures of other people for the class (regularisation)"
MASKS = "masks, not photos"
CONTROLS = "control pictures such as poses or depths, not photos"
CACHE = "what a trainer computed in advance (a cache)"
_SAMPLES = "samples that a trainer drew, not photos"
_SMALL = "small copies of other pictures"

RULES = (
    # what a trainer alone names so
    Rule("controls", "AI Toolkit", CONTROLS, folder=r"_controls"),
    Rule("cache", "AI Toolkit", CACHE, folder=r"_(?:latent|t_e|text_embedding|clip_vision|audio|face|dino)\w*_?cache|_latents?"),
    Rule("thumbnails", "AI Toolkit", _SMALL, folder=r"\.thumbs|\.thumbnails|_thumbs|_thumbnails"),
    Rule("masks", "OneTrainer", MASKS, file=rf".+-masklabel{_PICTURE}"),
    Rule("controls", "OneTrainer", CONTROLS, file=rf".+-condlabel{_PICTURE}"),
    Rule("samples", "OneTrainer", _SAMPLES, file=rf".*training-sample-.*{_PICTURE}"),
    Rule("samples", "AI Toolkit", _SAMPLES, file=rf"\d{{10,}}__\d{{6,}}_\d+{_PICTURE}"),
    Rule("samples", "kohya and musubi", _SAMPLES, file=rf".+_e?\d{{6}}_\d{{2}}_\d{{14}}(?:_\d+)?{_PICTURE}"),
    Rule("samples", "SimpleTuner", _SAMPLES, file=rf"step_\d+_.+_\d+(?:x\d+)?{_PICTURE}"),
    Rule("preview", "model sites", "the preview of a model", file=rf".+\.preview{_PICTURE}"),
    # what is theirs where the pictures say so too
    Rule("class", "kohya", REGULAR, folder=r"reg|regs", when=CLASSES),
    Rule(
        "class", "several trainers", REGULAR, when=CLASSES,
        folder=r"(?:reg|regulari[sz]ation|class|prior)[ _-]?(?:images?|imgs?|pics?|pictures?|data|datasets?|set)|regulari[sz]ation",
    ),
    Rule(
        "masks", "several trainers", MASKS, when=TWINS,
        folder=r"(?:alpha[ _-]?|loss[ _-]?|seg\w*[ _-]?)?masks?(?:[ _-]?(?:images?|videos?|dir|directory|path|data|label))?|masklabels?",
    ),
    Rule(
        "controls", "several trainers", CONTROLS, when=TWINS,
        folder=r"(?:control|condition(?:ing)?)s?(?:[ _-]?(?:net|images?|videos?|dir|directory|path|data|data[ _-]dir|maps?))?|controlnet",
    ),
    Rule(
        "controls", "several trainers", CONTROLS, when=TWINS, otherwise=TAKE,
        folder=r"(?:depth|normal|canny|hed|openpose|dwpose|pose|lineart|softedge|scribble|edge|seg|inpaint)s?(?:[ _-]?(?:maps?|images?|videos?))?",
    ),
    Rule("cache", "several trainers", CACHE, folder=r"(?:\w+[ _-])?caches?|latents?|cache[ _-]\w+", when=TWINS),
    Rule("thumbnails", "several programs", _SMALL, folder=r"thumbs?|thumbnails?|previews?", when=TWINS),
    Rule(
        "samples", "several trainers", _SAMPLES, when=DRAWN,
        folder=r"samples?(?:[ _-]?(?:images?|videos?|outputs?))?|validation(?:[ _-]?(?:images?|videos?|samples?|outputs?))?",
    ),
)  # fmt: skip

CLASS_FOLDER = re.compile(r"(\d+)_(.+)")  # kohya's: how many times a picture is shown each time round, and of what
ANY_CLASS = Rule("class-folder", "kohya", REGULAR)  # a folder such as 1_woman beside the person's own
TWIN_FOLDER = Rule(
    "twins", "several trainers", "masks or control pictures, not photos"
)  # all its pictures are called as captioned photos beside it
MODEL_PREVIEW = Rule("model-picture", "model sites", "the preview of a model")  # a picture that is called as a model file beside it
MODEL_NAMES = (".safetensors", ".ckpt")

# what no photo is, and nobody asks about: code -> (pattern of a folder's or file's name, what it is)
NOISE = re.compile(r"__macosx|thumbs\.db|desktop\.ini|\.ds_store|@eadir|\$recycle\.bin|system volume information|icon\r")
OTHERS = (  # of files that are neither photo, clip nor text: pattern of the name, what it is
    (r".+\.(?:npz|npy|pt|pth|bin|cache|lock|pkl|mdb|arrow)", "it is a trainer's cache"),
    (r".+\.(?:safetensors|ckpt|gguf|onnx)", "it is a model or a trainer's cache"),
    (r".+\.(?:toml|ya?ml|ini|cfg)", "it is a program's settings; those of a trainer are read with its config"),
    (r".+\.(?:parquet|sqlite3?|db|xlsx?|ods)", "it may list captions, in a form that is not read here; save the list as .jsonl or .csv"),
    (
        r".+\.(?:tar|7z|rar|gz|tgz|bz2|xz|zst)",
        "it is an archive of a kind that is not opened here; unpack it and import the folder, or save it as .zip",
    ),
    (r".+\.(?:wav|mp3|flac|m4a|ogg|aac)", "it is sound"),
)
NO_KIND = "it is neither a photo, a clip nor a caption"


def describe_other(name: str) -> str:
    """What a file is that can't become an item."""
    return next((words for pattern, words in OTHERS if re.fullmatch(pattern, name)), NO_KIND)
