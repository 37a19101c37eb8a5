"""The small, exact library under the app: diffusion models from two coordinates to images. See README.md beside this file."""
