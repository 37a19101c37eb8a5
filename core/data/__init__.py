"""Data sets: `points` has the built-in sets of points in the plane, `uploads` makes point sets from a user's own data.

`images` has sets of images from every source: `image_files` decodes files, `image_folders` says which files of a folder
are images of which class, `image_arrays` reads arrays. `captions` pairs images with captions, `tables` reads tables.
"""

CLASSES = ("person", "dog", "cat")
"""The classes of the spiral. They stand here because the home page reads them without PyTorch."""
