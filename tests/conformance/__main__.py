"""`python -m tests.conformance`: write the page anew."""

from .page import PAGE, page

PAGE.write_text(page())
