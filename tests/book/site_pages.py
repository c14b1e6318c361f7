"""The pages of the built site."""

from harness.paths import BUILD

HTML = BUILD / "html"
# The page 404 exists only if the site has an address, and loads everything from there.
PAGES = sorted(
    str(path.relative_to(HTML))
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path.name != "404.html"
)
PROSE = [page for page in PAGES if page not in ("search.html", "genindex.html")]
