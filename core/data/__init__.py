"""Data sets: `points` holds the built-in sets of points in the plane, `uploads` those that a learner brings."""
