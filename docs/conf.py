"""Sphinx's settings for the project's own site: `make docs`, or sphinx-build -W docs DIR."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import made

import takeoff

project = "takeoff"
author = "The takeoff authors"
project_copyright = author
version = release = takeoff.__version__
extensions = ["myst_parser"]
exclude_patterns = ["mkdocs"]
myst_heading_anchors = 2  # so that links to headings work as they do in the repository
html_theme = "alabaster"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {
    "description": "Would more labelled data help, or a bigger network?",
    "fixed_sidebar": True,
    "page_width": "1060px",
    "sidebar_width": "220px",
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchfield.html"]}
html_show_sourcelink = False


def setup(app):
    """Make the pages that are made."""
    app.connect("builder-inited", lambda app: made.make_pages(Path(app.srcdir)))
