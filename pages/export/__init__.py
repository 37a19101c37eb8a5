"""Pictures as files: from the menu of a page, and from the command line (``python -m pages.export``)."""
