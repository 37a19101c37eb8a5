"""The small, exact library under the app: diffusion models from two coordinates to images (see README.md here)."""
