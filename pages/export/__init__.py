"""Pictures as files: from the menu of a page, and from the command line (``python -m pages.export``)."""


def draw_menu(page: str) -> None:
    """Draw the export menu of ``page`` if the visitor has asked for it."""
    from pages.ui.stage import exporting  # which is there in a page, and which the command line has to wait for

    if exporting.pending():
        from pages.export import menu  # which needs more than a page does

        menu.draw(page)
