"""The site of the guide: `make docs`."""

project = "ganglion"
author = "the authors of ganglion"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "ganglion"
exclude_patterns = ["_build"]
html_copy_source = False
