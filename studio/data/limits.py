"""Bounds on what is imported, checked before anything is decoded: a hostile file costs a sentence, never the machine."""

GB = 1024**3

MAX_FILES = 5_000  # photos and clips of one import, folders and archives together
MAX_LOOKED_AT = 100_000  # files of any kind in one import
MAX_FOLDER_DEPTH = 16

MAX_PHOTO_BYTES = 200 * 1024**2
MAX_PHOTO_PIXELS = 150_000_000  # a 150-megapixel camera; 30,000 x 30,000 is six times that
MAX_PHOTO_SIDE = 4096  # a larger picture is never shown
MAX_TRAINED_PIXELS = (
    2048**2
)  # of the dataset's copy of a photo: no training takes more (DataConfig.photo_size); a JPEG whose half has .7 of them is taken at half
MIN_PHOTO_SIDE = 32

MAX_CLIP_BYTES = 4 * GB
MAX_CLIP_SECONDS = 10 * 60
MAX_CLIP_PIXELS = 7680 * 4320  # a frame
MAX_CLIP_FRAMES = 100_000
MAX_FILM_BYTES = 32 * GB  # a film is no item: pieces are cut out of it (studio.data.pieces), and it stays in originals/
MAX_FILM_SECONDS = 4 * 3600
MAX_FILM_FRAMES = 1_000_000
MAX_CLIP_SIDE = 1920  # larger clips are scaled down for training; the original is kept as it is

MAX_ZIP_ENTRIES = 20_000  # named in an archive's directory, media or not
MAX_ZIP_BYTES = 20 * GB  # really unpacked from one archive
MAX_ZIP_RATIO = 200  # unpacked bytes for each packed one; photos and clips hardly shrink at all
ZIP_RATIO_FLOOR = 4 * 1024**2  # below this size any ratio is harmless

MAX_CAPTION_BYTES = 64 * 1024
MAX_LIST_BYTES = 16 * 1024**2  # of a file that holds the captions of many
MAX_CAPTION_CHARACTERS = 2_000
MAX_NAME_CHARACTERS = 80

HISTORY_STEPS = 100
HISTORY_BYTES = 1024**2  # of curation.json; the newest step is always kept
