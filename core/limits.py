"""How large what a stranger gives may be: the one list of it. Each reader takes its limits from here.

Beyond a limit an input is refused with a sentence that names the limit and the remedy, before it costs time or memory.
What is not in this list follows from the configurations, which check themselves, and from the controls of a page, whose
ranges stand in their declarations. A file that a page takes is answered within about a second and 300 MB of memory.
"""

# Links and what is typed
VALUE = 8_000  # characters of one parameter of a link
QUOTED = 600  # characters of what an error quotes; the rest is left out
LETTERS = 12  # of a word that becomes points
VERTICES, LINK_VERTICES = 100_000, 400  # of a drawing; of one in a link

# Tables
CSV_MB, CSV_POINTS = 15, 5_000  # of a table of points; of more points, some are kept
CSV_LINES, CSV_LINE_MB, GUESSED_MB = 200_000, 1, 2  # of it: lines but plain numbers, one line, text but UTF-8
POINT_CLASSES = 3
TABLE_MB = 200  # of a table of captions or labels, which a command reads
CELL = 131_072  # characters of a cell
JSON_DEPTH = 100  # brackets within brackets

# Images
IMAGE_MB, MEGAPIXELS = 30, 20  # of an image that a page takes
SET_MEGAPIXELS, SHEET_MEGAPIXELS = 64, 16  # of an image in a folder that a command reads; of a sheet of a run
IMAGE_PARTS, SCANS = 500, 50  # of a JPEG: its segments, and how often it is refined
CHUNKS = 100_000  # of a PNG
BLOCKS = 200_000  # of a GIF
TAG_VALUES = 100_000  # of one entry of a TIFF
NETPBM_HEADER, NETPBM_TEXT = 10_000, 3_000_000  # bytes of a PNM before its pixels, and of one written in digits
SIDE = 4_096  # pixels to which images are resized
SET_GB, IMAGE_CLASSES = 16, 10_000  # of a set of images, unpacked

# Checkpoints
UPLOAD_MB, CONFIG_MB = 60, 4  # of a checkpoint that a page takes, unpacked; of its config.json
MEMBERS = 10_000  # of a zip
HEADER_MB = 1  # of a safetensors file, which describes its tensors there
STEPS = 10**9
SHOWN_SIDE = 64  # pixels of an image that a page draws with a stranger's model

# Logs of runs
LINE_MB, LOOK_MB = 0.1, 4  # of a line, and of what is read of a log at one look
LOG_ENTRIES = 50_000  # of a log that are kept; of more, every second one goes

# Lecture plans
PLAN_BYTES, VIEWS = 1_000_000, 500
TITLE, NOTES, ADDRESS = 200, 20_000, 8_000  # characters
KEY_PARTS = 20  # of a key in its file
MINUTES = 600  # for one view
