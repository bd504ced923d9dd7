"""The eye of a base model: who is in a picture (an embedding), what it shows (names), and what moves in a clip."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from studio.disk import parse_json
from studio.errors import Problem

Reading = dict[str, Any]  # {attribute: name, ..., "confidence": mean probability of those names}
KIND, FORMAT = "observer", 1
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
DRAWN_MOST = 0.5  # of `edge_share`: 200 drawn pictures have at most .27 (JPEG of quality 75 to 95), 177 photographs at least .77
MIN_FRAMES = 5  # of a clip whose motion can be read
BATCH = 128  # pictures through the network at a time
LARGE_BATCH = 8  # frames in full size, as floats, at a time


@dataclass(frozen=True, kw_only=True)
class ObserverConfig:
    """What the network is made for: its sizes, and the names that it can tell. grid: cells of a picture's side."""

    person: dict[str, list[Any]]  # {attribute: names} that stay with the person
    scene: dict[str, list[Any]]  # {attribute: names} that change from picture to picture
    motion: list[str]
    grid: int = 20
    num_frames: int = 9  # that the motion is read from
    dimensions: int = 96  # of an embedding
    person_width: int = 48
    scene_width: int = 28
    motion_width: int = 24


class _Layer(nn.Module):
    """Convolution, norm, ReLU. The weight is a matrix, (outputs, inputs * size * size), as the optimizer Muon wants it."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.shape, self.stride = (outputs, inputs, size, size), stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs * size * size))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(nn.functional.conv2d(x, self.weight.view(self.shape), None, self.stride, self.shape[-1] // 2)).relu()


class _Residual(_Layer):
    def __init__(self, width: int) -> None:
        super().__init__(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


def _trunk(channels: int, width: int, squeezed: int, features: int, grid: int) -> nn.Sequential:
    """(N, channels, grid, grid) -> (N, features); 2 x 2 cells become channels at once, which loses nothing and costs little."""
    side = (grid // 2 + 1) // 2
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        _Layer(4 * channels, width),
        _Residual(width),
        _Residual(width),
        _Layer(width, 2 * width, stride=2),
        _Residual(2 * width),
        _Layer(2 * width, squeezed, size=1),
        nn.Flatten(),
        nn.Linear(squeezed * side * side, features),
        nn.ReLU(),
    )


class ObserverNetwork(nn.Module):
    """Three trunks that share nothing: what the scene's trunk learns cannot leak into who the person is."""

    def __init__(self, config: ObserverConfig) -> None:
        super().__init__()
        self.config = config
        self.person = _trunk(3, config.person_width, 16, 128, config.grid)
        self.scene = _trunk(3, config.scene_width, 12, 64, config.grid)
        self.motion = _trunk(3 * (config.num_frames + 1), config.motion_width, 8, 32, config.grid)
        self.embedding = nn.Linear(128, config.dimensions)
        self.person_heads = nn.ModuleDict({name: nn.Linear(128, len(names)) for name, names in config.person.items()})
        self.scene_heads = nn.ModuleDict({name: nn.Linear(64, len(names)) for name, names in config.scene.items()})
        self.motion_head = nn.Linear(32, len(config.motion))

    def look(self, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """cells (N, 3, grid, grid) in [0, 1] -> features of the person (N, 128), of the scene (N, 64)."""
        return self.person(2 * cells - 1), self.scene(2 * cells - 1)

    def embed(self, person: torch.Tensor) -> torch.Tensor:
        """Features of the person -> unit rows (N, dimensions)."""
        return nn.functional.normalize(self.embedding(person), dim=-1)

    def name(self, person: torch.Tensor, scene: torch.Tensor) -> dict[str, torch.Tensor]:
        """{attribute: logits (N, names)} of all that a picture shows."""
        answers = {name: head(person) for name, head in self.person_heads.items()}
        return answers | {name: head(scene) for name, head in self.scene_heads.items()}

    def watch(self, cells: torch.Tensor) -> torch.Tensor:
        """cells of clips (N, num_frames, 3, grid, grid) in [0, 1] -> logits (N, motions), from what differs and what stays."""
        mean = cells.mean(1, keepdim=True)
        return self.motion_head(self.motion(torch.cat([2 * mean - 1, 3 * (cells - mean)], 1).flatten(1, 2)))


class Observer:
    """A trained network, asked about frames of any size: (N, H, W, 3) uint8. What is not square is seen in its middle."""

    def __init__(self, network: ObserverNetwork) -> None:
        self.network = network.eval().requires_grad_(False)
        self.config = network.config

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """The observer in `folder`; Problem in words if a file is missing, damaged or another model's."""
        config = _read_config(Path(folder))
        network = ObserverNetwork(config)
        _fill(network, Path(folder) / WEIGHTS_FILE)
        return cls(network)

    @torch.inference_mode()
    def embed(self, frames: np.ndarray) -> np.ndarray:
        """(N, dimensions) float32 unit rows: who is there. Cosines: near 1 for one person, near 0 for two unlike people."""
        rows = [self.network.embed(self.network.look(cells)[0]).numpy() for cells in self._batches(frames)]
        return np.concatenate([np.zeros((0, self.config.dimensions), np.float32), *rows])

    def knows(self, frames: np.ndarray) -> np.ndarray:
        """(N,) bool: whether each is drawn in cells, as everything in its world is: photographs are not."""
        return np.array([edge_share(square(frame[None])[0], self.config.grid) < DRAWN_MOST for frame in np.asarray(frames)], bool)

    @torch.inference_mode()
    def read(self, frames: np.ndarray) -> list[Reading]:
        """[{attribute: name, ..., "confidence": mean probability of those names}], one dict a frame."""
        return [reading for cells in self._batches(frames) for reading in self._read(cells)]

    @torch.inference_mode()
    def read_motion(self, clip: np.ndarray) -> str:
        """The name of what moves in (F, H, W, 3) uint8 frames, evenly spaced in time; ValueError if there are too few."""
        if len(clip) < MIN_FRAMES:
            raise ValueError(f"a clip needs at least {MIN_FRAMES} frames for its motion to be read, got {len(clip)}")
        moments = np.linspace(0, len(clip) - 1, self.config.num_frames).round().astype(int)
        cells = to_cells(np.asarray(clip)[moments], self.config.grid)
        return self.config.motion[int(self.network.watch(cells[None]).argmax())]

    def _batches(self, frames: np.ndarray) -> Sequence[torch.Tensor]:
        cells = to_cells(frames, self.config.grid)
        return cells.split(BATCH) if len(cells) else []

    def _read(self, cells: torch.Tensor) -> Iterator[Reading]:
        choices = self.config.person | self.config.scene
        best = {name: logits.softmax(-1).max(-1) for name, logits in self.network.name(*self.network.look(cells)).items()}
        for i in range(len(cells)):
            names = {name: choices[name][int(found.indices[i])] for name, found in best.items()}
            yield names | {"confidence": float(sum(found.values[i] for found in best.values()) / len(best))}


def square(frames: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) -> (N, S, S, 3): the largest square in the middle."""
    height, width = frames.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(frames[:, top : top + side, left : left + side])


def edge_share(picture: np.ndarray, grid: int) -> float:
    """How much colours change inside the cells of a square picture (S, S, 3) against how much between them: near 0 where it is drawn in cells
    of one colour, near 1 where it is not. At 4 x 4 pixels a cell; 0 for a picture of one colour."""
    pixels = np.asarray(Image.fromarray(picture).resize((4 * grid, 4 * grid), Image.Resampling.BOX), np.float32)
    across, down = (np.abs(np.diff(pixels, axis=axis)).mean(2) for axis in (1, 0))
    place = np.arange(4 * grid - 1) % 4  # 1: in the middle of a cell; 3: from one to the next
    inside = across[:, place == 1].mean() + down[place == 1].mean()
    between = across[:, place == 3].mean() + down[place == 3].mean()
    return float(inside / between) if between else 0.0


def to_cells(frames: np.ndarray, grid: int) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, grid, grid) float in [0, 1]: the mean colours of the cells of the largest square in the middle."""
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or 0 in frames.shape[1:3]:
        raise ValueError(f"frames must be (N, height, width, 3) in 8 bits a colour, got {frames.shape} of {frames.dtype}")
    middle = square(frames)
    mean = _averages(middle.shape[1], grid)
    parts = torch.from_numpy(middle).split(LARGE_BATCH)
    return torch.cat([torch.einsum("gh,nhwc,kw->ncgk", mean, part.float() / 255, mean) for part in parts])


def _averages(side: int, grid: int) -> torch.Tensor:
    """(grid, side): the share of each pixel in the mean of each cell; a pixel on an edge belongs to both."""
    edges = torch.arange(grid + 1) * side / grid
    pixels = torch.arange(side)
    overlap = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return overlap.clamp(min=0) * grid / side


# -- files


def save_observer(folder: Path | str, network: ObserverNetwork) -> None:
    """Write the network as config.json and model.safetensors (half precision: what it sees does not change)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: t.detach().half().contiguous() for key, t in _weights(network).items()}
    save_file(tensors, folder / WEIGHTS_FILE, {"format": "pt"})
    text = json.dumps({"kind": KIND, "format": FORMAT} | asdict(network.config), indent=1)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")


def _weights(network: ObserverNetwork) -> dict[str, torch.Tensor]:
    return {key: t for key, t in network.state_dict().items() if t.is_floating_point()}


def _read_config(folder: Path) -> ObserverConfig:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise Problem(f"{CONFIG_FILE} of the observer is missing in {folder}.", fix="Get the model again; finished files are kept.")
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        if found.pop("kind") != KIND or found.pop("format") != FORMAT:
            raise ValueError("it describes something else")
        return ObserverConfig(**found)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Problem(f"{path} is not the config of an observer that this studio knows ({e}).", fix="Get the model again.") from None


def _fill(network: ObserverNetwork, path: Path) -> None:
    """Put the file's weights into the network; Problem if it is missing, damaged, or has other shapes."""
    if not path.is_file():
        raise Problem(f"{path.name} of the observer is missing in {path.parent}.", fix="Get the model again; finished files are kept.")
    try:
        tensors = load_file(path)
    except SafetensorError as e:
        raise Problem(f"{path} is damaged ({e}).", fix="Get the model again.") from None
    expected = {key: t.shape for key, t in _weights(network).items()}
    wrong = sorted(key for key in expected | tensors if key not in tensors or expected.get(key) != tensors[key].shape)
    if wrong:
        raise Problem(
            f"{path} does not fit its {CONFIG_FILE}: {wrong[0]} is missing, strange, or of another size.", fix="Get the model again."
        )
    network.load_state_dict({key: t.float() for key, t in tensors.items()}, strict=False)
