"""``python -m pages.site OUT``: the lesson as plain files, which need no server (see ``__main__``).

Every page is run without a browser, as a learner would use it: with its question open, answered in each way, and scene
by scene. What the page draws becomes HTML, so that the files say what the app says.
"""
