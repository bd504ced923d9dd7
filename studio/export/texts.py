"""The README of each export: where the files go and what to set, for someone who has never done it."""

from studio.training.plan.estimates import count_class_pictures

FOOTER = """
What you make with these files is AI-generated: say so when you share it, and share it only with the person's permission.
"""

WORDS_FOR_KIND = {  # by whether the base model draws from a first picture
    False: {"kind": "text-to-video", "begin": "Begin ", "cache_option": ""},
    True: {
        "kind": "image-to-video",
        "begin": "Give it a picture of the person as the start image, and begin ",
        "cache_option": " --i2v",
    },
}

COMFYUI = """One LoRA pair for WAN 2.2, for ComfyUI
=======================================

WAN 2.2 draws with two models one after the other, so a LoRA is a pair: one file for each. Both are needed.

1. Copy the .safetensors files into the folder ComfyUI/models/loras
2. Open a WAN 2.2 {kind} workflow. It has two nodes "Load Diffusion Model": high noise and low noise.
3. Behind each of them put one node LoraLoaderModelOnly:
{slots}4. Set strength_model to {strength:g} in both. Too little likeness: go up by 0.1. Stiff motion or harsh skin: go down.
5. {begin}the prompt with: {trigger}, a {class_noun}, ...

Trained on: {base_title}
Pair: {pair}
"""

COMFYUI_ALONE = """One LoRA for {base_title}, for ComfyUI
{line}

1. Copy the .safetensors file into the folder ComfyUI/models/loras
2. Open a {kind} workflow for this model.
3. Behind its node "Load Diffusion Model" put one node LoraLoaderModelOnly: {file}
4. Set strength_model to {strength:g}. Too little likeness: go up by 0.1. Stiff motion or harsh skin: go down.
5. {begin}the prompt with: {trigger}, a {class_noun}, ...

Saved step: {pair}
"""

BUNDLE = """One LoRA pair for WAN 2.2 with everything that belongs to it
============================================================

lora/          the pair; README-ComfyUI.txt says where it goes
manifest.json  what the files are: step, settings, checksums
settings.json  the settings of the training run
verdict.json   which pair was judged best, and why (if it was compared)
report.html    the comparison; open it in a browser (if there is one)
dataset/       the pictures and captions (only if you asked for them)

Pair: {pair}. Start at strength {strength:g}. Trigger: {trigger}
"""

AI_TOOLKIT = """Carry on in AI Toolkit
======================

config.yaml              the job, with the settings of the training run
dataset/                 pictures, clips and captions
output/{name}/           the pair, under the names from which AI Toolkit continues

1. Open a terminal in this folder, with AI Toolkit's environment active.
2. python FOLDER/OF/ai-toolkit/run.py config.yaml

AI Toolkit finds the pair in output/{name} and goes on from it; it counts its steps from zero.
model.name_or_path in config.yaml names the base model that it downloads; put your own folder there if you have one.
Paths in config.yaml are relative to this folder.
{notes}"""

MUSUBI = """Carry on in musubi-tuner
========================

dataset.toml                       the dataset, for both experts
high_noise.toml, low_noise.toml    the settings of each expert; put the files of your base model into the line "dit"
weights/                           the pair, under musubi-tuner's own key names
dataset/                           pictures, clips and captions

Open a terminal in this folder, with musubi-tuner's environment active (SRC is its folder src/musubi_tuner):

1. python SRC/wan_cache_latents.py --dataset_config dataset.toml{cache_option} --vae FILE/OF/wan_2.1_vae.safetensors
2. python SRC/wan_cache_text_encoder_outputs.py --dataset_config dataset.toml --t5 FILE/OF/models_t5_umt5-xxl-enc-bf16.pth --batch_size 16
3. accelerate launch --num_cpu_threads_per_process 1 SRC/wan_train_network.py --config_file high_noise.toml
4. the same with low_noise.toml
{notes}"""

DIFFUSION_PIPE = """Carry on in diffusion-pipe
==========================

dataset.toml                       the dataset, for both experts
high_noise.toml, low_noise.toml    one config for each expert; put the folder of your base model in place of FOLDER/OF
lora_high_noise/, lora_low_noise/  the pair, one file in each folder
dataset/                           pictures, clips and captions

Open a terminal in this folder, with diffusion-pipe's environment active:

1. deepspeed --num_gpus=1 FOLDER/OF/diffusion-pipe/train.py --deepspeed --config high_noise.toml
2. the same with low_noise.toml

diffusion-pipe counts epochs, not steps: the configs hold as many as make up the steps of the training run.
{notes}"""


def comfyui_readme(files, facts):
    """files: {expert: file name}."""
    if len(files) == 1:
        line = "=" * len(f"One LoRA for {facts['base_title']}, for ComfyUI")
        return COMFYUI_ALONE.format(line=line, file=next(iter(files.values())), **facts) + FOOTER
    slots = "".join(f"     behind the {expert.replace('_', ' ')} model: {name}\n" for expert, name in files.items())
    return COMFYUI.format(slots=slots, **facts) + FOOTER


def trainer_readme(template, facts, notes):
    """notes: sentences on what the other trainer does differently."""
    return template.format(notes="".join(f"\n{note}\n" for note in notes), **facts) + FOOTER


def bundle_readme(facts):
    return BUNDLE.format(**facts) + FOOTER


def differences(train, to):
    """What the other program cannot do as it was done here."""
    notes = []
    if train.timesteps.distribution in ("cosine", "shift") and to == "diffusion-pipe":
        notes.append(f"It has no '{train.timesteps.distribution}' noise levels; logit_normal, the nearest, is set.")
    if train.timesteps.distribution == "cosine" and to in ("ai-toolkit", "musubi"):
        notes.append("It has no 'cosine' noise levels; sigmoid, the nearest, is set.")
    if train.optimizer.name == "adafactor" and to == "diffusion-pipe":
        notes.append("It is set to AdamW: its Adafactor takes other settings.")
    if train.preservation.enabled and to in ("musubi", "diffusion-pipe"):
        notes.append("It has no Differential Output Preservation: other people may begin to look like yours; stop early.")
    if count_class_pictures(train.preservation) and to == "ai-toolkit":
        notes.append("It protects other people at your own photos alone, not at pictures of others: they may change more.")
    return notes
