"""What lies in safetensors files, read from their headers alone: which weights, stored how, and where their scales are. Torch-free."""

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from studio.disk import parse_json
from studio.errors import Problem
from studio.models.files.fp8_values import typical_size

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
MAX_TEXT_BYTES = 50_000_000  # UMT5's list of words has 4.5 MB
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}  # the number formats that are read as weights
FP8 = ("F8_E4M3", "F8_E5M2")
FP8_FORMATS = ("float8_e4m3fn", "float8_e5m2")  # as `comfy_quant` names them
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.")  # before the names that a model's makers gave
SCALES = (".scale_weight", ".weight_scale")  # beside an fp8 `.weight`: ComfyUI's old form, and its new one
BESIDE = (".scale_input", ".input_scale", ".comfy_quant")  # what only a runtime with 8-bit activations needs, and the form's name
SCALED = "scaled_fp8"  # marks ComfyUI's old form
AGAIN = "Download that file again."
PLAIN_SIZE = 100.0  # of weights times the root of their inputs: trained ones have 1 to 10, those divided by their scales 400 to 6000
MAX_PARTS = 1000
SAMPLED, SAMPLE_BYTES = 9, 65_536  # weights of a file, and what is read of each
SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.safetensors)", re.IGNORECASE)
MARKERS = (SCALED, "spiece_model")


@dataclass(frozen=True)
class Tensor:
    """An entry of a header. offset: of its first byte in the file."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    num_bytes: int


@dataclass(frozen=True)
class Header:
    path: Path
    tensors: dict[str, Tensor] = field(repr=False)
    metadata: dict[str, str] = field(default_factory=dict, repr=False)

    def read_part(self, key: str, most: int) -> bytes:
        """The first bytes of a tensor, `most` of them at most."""
        entry = self.tensors[key]
        with open(self.path, "rb") as file:
            file.seek(entry.offset)
            return file.read(min(most, entry.num_bytes))

    def read_bytes(self, key: str) -> bytes:
        """The bytes of a tensor: for the small ones that hold text. ValueError for a large one."""
        entry = self.tensors[key]
        if entry.num_bytes > MAX_TEXT_BYTES:
            raise ValueError(f"{entry.num_bytes:,} bytes are too many")
        return self.read_part(key, entry.num_bytes)


@dataclass(frozen=True)
class StoredWeight:
    """Where one weight lies. key: its name in the file; scale_key: of the number or column that its fp8 values are multiplied by, or ""."""

    path: Path
    key: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    scale_key: str = ""

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path | str, folder: Path | None = None) -> Header:
    """The Header of a whole safetensors file. Problem, naming the file as seen from `folder`, if it is cut off or something else."""
    path = Path(path)
    try:
        info = path.stat()
    except OSError as e:
        raise Problem(f"{path} cannot be read ({e.strerror}).", fix="Connect the drive it is on, or choose another file.") from None
    header, stated = _read_header(path, info.st_size, info.st_mtime_ns)
    if header is None or info.st_size != stated:
        name = path.relative_to(folder).as_posix() if folder else path.name
        size = f"it has {info.st_size:,} of {stated:,} bytes" if header else "it is no safetensors file"
        raise Problem(
            f"{name} in {folder or path.parent} is incomplete or damaged: {size}.", fix="Download that file again; finished files are kept."
        )
    return header


@lru_cache(maxsize=1024)
def _read_header(path: Path, size: int, mtime_ns: int) -> tuple[Header | None, int]:
    """(Header, length of the file by it), or (None, 0) if it has none; read once per version of the file."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size, MAX_HEADER_BYTES):
                return None, 0
            header = parse_json(file.read(length))
        tensors, end = {}, 0
        for key, entry in header.items():
            if key != "__metadata__":
                first, last = entry["data_offsets"]
                if not 0 <= first <= last:
                    return None, 0
                tensors[key] = Tensor(str(entry["dtype"]), tuple(map(int, entry["shape"])), 8 + length + first, last - first)
                end = max(end, last)
        metadata = {str(key): str(value) for key, value in (header.get("__metadata__") or {}).items()}
        return Header(path, tensors, metadata), 8 + length + end
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, 0


def stored_weights(files: Iterable[Path]) -> dict[str, StoredWeight]:
    """{name without ComfyUI's prefix: StoredWeight} of all weights in these files; their scales are found, and left out as weights.

    Problem for a number format that is not read (4 bits, int8), or scales of an unknown form.
    """
    found = {}
    for path in files:
        read_header(path)  # Problem for a damaged file
        info = Path(path).stat()
        more = _stored_weights(Path(path), info.st_size, info.st_mtime_ns)
        if twice := sorted(found.keys() & more.keys()):
            raise Problem(f"{Path(path).name} in {Path(path).parent} has {twice[0]} again, which another of its parts has.", fix=AGAIN)
        found |= more
    return found


@lru_cache(maxsize=256)
def _stored_weights(path: Path, size: int, mtime_ns: int) -> dict[str, StoredWeight]:
    header, found = read_header(path), {}
    scales = {_weight_of(key): key for key in header.tensors if key.endswith(SCALES)}
    for key, entry in header.tensors.items():
        if key.endswith(".comfy_quant"):
            _check_format(header, key)
        if key.endswith((*SCALES, *BESIDE)) or strip_prefix(key) in MARKERS:
            continue
        weight = StoredWeight(path, key, entry.dtype, entry.shape, entry.offset, scales.get(key, ""))
        _check_weight(header, weight)
        found[strip_prefix(key)] = weight
    if orphans := sorted(scales.keys() - header.tensors.keys()):
        raise _unreadable(header, f"scales for {orphans[0]}, which is not there")
    require_scales(header, found)
    return found


def require_scales(header: Header, weights: Mapping[str, StoredWeight]) -> None:
    """Problem for an fp8 file whose scales are missing: without them its weights are hundreds of times too large, and it draws noise.

    A plain cast, which never had any, is told by the size of its values: that of trained weights.
    """
    small = [weight for weight in weights.values() if weight.dtype in FP8 and len(weight.shape) == 2]
    without = [weight for weight in small if not weight.scale_key]
    if not without:
        return
    if len(without) < len(small):
        raise _without_scales(header, f"{len(without)} of its {len(small)} fp8 weights have no scale, {without[0].key} the first")
    if any(strip_prefix(key) == SCALED for key in header.tensors):
        raise _without_scales(header, f"it is marked as {SCALED}, and has no scale")
    size = _typical_size(header, without)
    if size > PLAIN_SIZE:
        raise _without_scales(header, f"its fp8 weights are about {size:,.0f} times as large as trained ones")


def _typical_size(header: Header, weights: Sequence[StoredWeight]) -> float:
    """The middle of the sizes of some weights, from their first values, in units in which trained ones have about 1."""
    some = [weights[len(weights) * i // SAMPLED] for i in range(min(SAMPLED, len(weights)))]
    sizes = [typical_size(header.read_part(w.key, SAMPLE_BYTES), w.dtype) * math.sqrt(w.shape[1]) for w in some]
    return statistics.median(sizes)


def _without_scales(header: Header, why: str) -> Problem:
    return Problem(
        f"{header.path.name} in {header.path.parent} is an fp8 file whose scales are missing: {why}.",
        cost="What it draws would be noise.",
        fix="Download the file again from ComfyUI's own, or use the fp16 or bf16 file of that model.",
    )


# -- files in parts


def first_part(path: Path) -> Path:
    """Of a file in parts ("name-00003-of-00006.safetensors") the first one; any other file is its own."""
    match = SHARD.fullmatch(path.name)
    return path.with_name(f"{match['stem']}-00001-of-{match['count']}{match['suffix']}") if match else path


def parts(path: Path) -> list[Path]:
    """All parts of a file, in order. Problem that names those that are missing."""
    match = SHARD.fullmatch(path.name)
    if match is None:
        return [path]
    count = int(match["count"])
    if not 1 <= count <= MAX_PARTS:
        raise Problem(f"{path.name} in {path.parent} can't be one of {count:,} parts.", fix=AGAIN)
    found = [path.with_name(f"{match['stem']}-{number:05d}-of-{match['count']}{match['suffix']}") for number in range(1, count + 1)]
    missing = [part for part in found if not part.is_file()]
    if missing:
        raise Problem(
            f"{path.parent.name}/{match['stem']} is incomplete: {len(missing)} of its {count} parts are missing, {missing[0].name} the first.",
            fix="Download them; parts that are there are kept.",
        )
    return found


def sample_of(path: Path, num_places: int = 8, num_bytes: int = 4096) -> bytes:
    """Bytes from evenly spread places of a file: another fine-tune of the same shapes differs in every one of them."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        places = (file.seek(max(0, size - num_bytes) * i // (num_places - 1)) for i in range(num_places))
        return b"".join(file.read(num_bytes) for _ in places)


def require_different(high: Path, low: Path) -> None:
    """Problem if the files of the two experts are one and the same: no weight tells high from low noise, but a copy can be told."""
    if high.stat().st_size == low.stat().st_size and sample_of(high) == sample_of(low):
        raise Problem(
            f"{high} and {low} hold the same weights, but the high-noise and the low-noise expert are two models.",
            fix="Download the one that is missing again.",
        )


def strip_prefix(key: str) -> str:
    return next((key.removeprefix(p) for p in PREFIXES if key.startswith(p)), key)


def _weight_of(scale_key: str) -> str:
    """ "x.scale_weight" and "x.weight_scale" -> "x.weight"."""
    return scale_key.rpartition(".")[0] + ".weight"


def _check_format(header: Header, key: str) -> None:
    try:
        form = parse_json(header.read_bytes(key)).get("format")
    except (ValueError, AttributeError):
        form = "an unknown form"
    if form not in FP8_FORMATS:
        raise _unreadable(header, form)


def _check_weight(header: Header, weight: StoredWeight) -> None:
    if weight.dtype not in ITEM_BYTES:
        raise _unreadable(header, weight.dtype)
    if weight.numel * ITEM_BYTES[weight.dtype] != header.tensors[weight.key].num_bytes:
        raise _unreadable(header, f"{weight.key} has another length than its shape says")
    if weight.scale_key:
        scale = header.tensors[weight.scale_key]
        of_all, of_rows = math.prod(scale.shape) == 1, scale.shape in ((weight.shape[0], 1), (weight.shape[0],))
        if weight.dtype not in FP8 or scale.dtype not in ("F32", "F16", "BF16") or not (of_all or of_rows):
            raise _unreadable(header, f"{weight.dtype} with scales {scale.dtype} of shape {list(scale.shape)}")


def _unreadable(header: Header, form: str) -> Problem:
    return Problem(
        f"{header.path.name} in {header.path.parent} has weights in a form that can't be read here ({form}).",
        fix="Use the fp16, bf16 or fp8 file of that model.",
    )
