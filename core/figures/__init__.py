"""Scenes as data (`scene`), colours (`palette`), and still figures: by Plotly (`curves`, `maps`) and Matplotlib
(`lecture`).

Both libraries are imported inside the functions: a page that shows no such figure does not wait for them.
"""
