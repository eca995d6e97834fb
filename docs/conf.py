"""How docs/ becomes a book of HTML: sphinx-build -W --keep-going -n -b html docs FOLDER

Nothing of it asks the network: mathematics is MathML, pictures stand in the page, search is a file beside it. What
Sphinx does not do by itself stands in docs/binding/, one module an idea.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Final

from npquant.version import __version__

DOCS: Final = Path(__file__).parent
COLOURS: Final = runpy.run_path(str(DOCS / "binding" / "palette.py"))
sys.path.insert(0, str(DOCS / "binding"))

project = "npquant"
author = "The npquant authors"
project_copyright = "The npquant authors. BSD-3-Clause"
release = version = __version__
language = "en"
root_doc = "index"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "contents",
    "sources",
    "mathml",
    "pictures",
    "cards",
    "labels",
    "names",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_dmath_allow_labels = False
html_math_renderer = "mathml"

# A card says types in words: what a signature would repeat is left out.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]
nitpick_ignore = [("py:exc", "KitFailure")]

html_theme = "furo"
html_title = "npquant"
html_static_path = ["style"]
html_css_files = ["book.css"]
html_context = {name.lower(): COLOURS[name] for name in ("LIGHT", "DARK", "MARKS")}
html_theme_options = {
    "light_css_variables": dict(COLOURS["FURO"]),
    "dark_css_variables": dict(COLOURS["FURO"]),
}
html_copy_source = False
# A summary is fetched from its page, which a browser refuses to a file.
html_show_search_summary = False
html_show_sphinx = False
pygments_style = "xcode"
pygments_dark_style = "github-dark"
