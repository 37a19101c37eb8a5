"""Scenes as data (`scene`), colours (`palette`), what draws scenes outside of the browser (`paper`, `film`), their
`numbers`, and charts by Plotly (`curves`, `maps`).

Both libraries are imported inside the functions: a page that shows no such figure does not wait for them.
"""
