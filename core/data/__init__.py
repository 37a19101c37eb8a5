"""Data sets: `points` has the built-in sets of points in the plane, `uploads` makes point sets from a user's own data.

`images` has sets of images from every source, `image_files` reads their files, `captions` pairs images with captions.
"""

CLASSES = ("person", "dog", "cat")
"""The classes of the spiral. They stand here because the home page reads them without PyTorch."""
