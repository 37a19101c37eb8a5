"""Still figures: arrays in, a Plotly figure (to zoom into) or a file made with Matplotlib (to put on a slide) out.

Both libraries are imported inside the functions: a page that shows no such figure does not wait for them.
"""
