"""Pictures as files: from the menu of a page, and from the command line (``python -m pages.export``)."""

from pages.ui.stage import exporting


def draw_menu(page: str) -> None:
    """Draw the export menu of ``page`` if the visitor has asked for it."""
    if exporting.pending():
        from pages.export import menu  # which needs more than a page does

        menu.draw(page)
