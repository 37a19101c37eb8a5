"""Data sets: `points` holds the built-in sets of points in the plane, `uploads` those that a learner brings.

`images` holds sets of images from every source; `decode` reads their files.
"""

CLASSES = ("person", "dog", "cat")
"""The classes of the spiral. They stand here because the home page reads them without PyTorch."""
