"""The nodes of ComfyUI that our workflows are made of: their inputs and outputs, and the order of the values that their boxes hold."""

from __future__ import annotations

from dataclasses import dataclass

FIXED = "fixed"  # the seed stays the same after a drawing


@dataclass(frozen=True)
class Socket:
    """Where a link begins or ends. is_optional: ComfyUI draws without it."""

    name: str
    type: str
    is_optional: bool = False


@dataclass(frozen=True)
class NodeType:
    """widgets: the values in its box, in order; of_the_page: those among them that only the page knows, and a drawing is not given."""

    name: str
    inputs: tuple[Socket, ...] = ()
    widgets: tuple[str, ...] = ()
    outputs: tuple[Socket, ...] = ()
    of_the_page: tuple[str, ...] = ()
    size: tuple[int, int] = (320, 110)

    def output_number(self, name: str) -> int:
        return [socket.name for socket in self.outputs].index(name)


MODEL = Socket("MODEL", "MODEL")
_TYPES = (
    NodeType("UNETLoader", widgets=("unet_name", "weight_dtype"), outputs=(MODEL,), size=(420, 110)),
    NodeType(
        "LoraLoaderModelOnly", (Socket("model", "MODEL"),), widgets=("lora_name", "strength_model"), outputs=(MODEL,), size=(420, 110)
    ),
    NodeType("ModelSamplingSD3", (Socket("model", "MODEL"),), widgets=("shift",), outputs=(MODEL,), size=(260, 90)),
    NodeType("CLIPLoader", widgets=("clip_name", "type", "device"), outputs=(Socket("CLIP", "CLIP"),), size=(420, 140)),
    NodeType("VAELoader", widgets=("vae_name",), outputs=(Socket("VAE", "VAE"),), size=(420, 90)),
    NodeType(
        "CLIPTextEncode", (Socket("clip", "CLIP"),), widgets=("text",), outputs=(Socket("CONDITIONING", "CONDITIONING"),), size=(420, 180)
    ),
    NodeType(
        "EmptyHunyuanLatentVideo",
        widgets=("width", "height", "length", "batch_size"),
        outputs=(Socket("LATENT", "LATENT"),),
        size=(320, 170),
    ),
    NodeType(
        "WanImageToVideo",
        (
            Socket("positive", "CONDITIONING"),
            Socket("negative", "CONDITIONING"),
            Socket("vae", "VAE"),
            Socket("clip_vision_output", "CLIP_VISION_OUTPUT", is_optional=True),
            Socket("start_image", "IMAGE", is_optional=True),
        ),
        widgets=("width", "height", "length", "batch_size"),
        outputs=(Socket("positive", "CONDITIONING"), Socket("negative", "CONDITIONING"), Socket("latent", "LATENT")),
        size=(320, 260),
    ),
    NodeType(
        "Wan22ImageToVideoLatent",
        (Socket("vae", "VAE"), Socket("start_image", "IMAGE", is_optional=True)),
        widgets=("width", "height", "length", "batch_size"),
        outputs=(Socket("LATENT", "LATENT"),),
        size=(320, 200),
    ),
    NodeType(
        "LoadImage",
        widgets=("image", "upload"),
        outputs=(Socket("IMAGE", "IMAGE"), Socket("MASK", "MASK")),
        of_the_page=("upload",),
        size=(320, 340),
    ),
    NodeType(
        "KSamplerAdvanced",
        (
            Socket("model", "MODEL"),
            Socket("positive", "CONDITIONING"),
            Socket("negative", "CONDITIONING"),
            Socket("latent_image", "LATENT"),
        ),
        widgets=(
            "add_noise",
            "noise_seed",
            "control_after_generate",
            "steps",
            "cfg",
            "sampler_name",
            "scheduler",
            "start_at_step",
            "end_at_step",
            "return_with_leftover_noise",
        ),
        outputs=(Socket("LATENT", "LATENT"),),
        of_the_page=("control_after_generate",),
        size=(320, 380),
    ),
    NodeType("VAEDecode", (Socket("samples", "LATENT"), Socket("vae", "VAE")), outputs=(Socket("IMAGE", "IMAGE"),), size=(220, 80)),
    NodeType(
        "CreateVideo",
        (Socket("images", "IMAGE"), Socket("audio", "AUDIO", is_optional=True)),
        widgets=("fps",),
        outputs=(Socket("VIDEO", "VIDEO"),),
        size=(260, 110),
    ),
    NodeType("SaveVideo", (Socket("video", "VIDEO"),), widgets=("filename_prefix", "format", "codec"), size=(420, 380)),
    NodeType("MarkdownNote", widgets=("text",), of_the_page=("text",), size=(420, 380)),
)
NODES = {node.name: node for node in _TYPES}
NOTE = "MarkdownNote"  # a text beside the others: the page shows it, and a drawing does not know it
