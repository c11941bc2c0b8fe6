"""The last touch on the built HTML pages: a content-security policy for each, and no part of the theme that nobody sees.

Runs over all pages at each build's end, also over those that Sphinx did not write anew: doing it twice changes nothing.
"""

import base64
import hashlib
import re
import shutil
from html import unescape
from pathlib import Path

# `file:` beside 'self': a page that is opened from disk has no origin that every browser would take for itself.
# style-src: Vega, the theme and the icons set styles from scripts and in attributes; a style can load nothing here.
POLICY = (
    "default-src 'none'; script-src 'self' file: {scripts}; style-src 'self' file: 'unsafe-inline'; "
    "img-src 'self' file: data: blob:; font-src 'self' file: data:; connect-src 'self' file:; form-action 'self' file:; "
    "base-uri 'none'"
)
WASM = "'wasm-unsafe-eval'"  # the live demo's model runs as WebAssembly
META = '<meta http-equiv="Content-Security-Policy" content="{policy}">'
OLD_META = re.compile(re.escape(META.split("{")[0]) + r'[^"]*">')
INLINE = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL)
HANDLER = re.compile(r'<[^<>]*\son[a-z]+="(?P<code>[^"]*)"')
ROLE = re.compile(r'(?<=<div) role="list"(?= class="citation-list")| role="doc-biblioentry"')  # a list of what is no list item
FONT = re.compile(r'<link rel="preload" as="font"[^>]*>\s*')
ICON = re.compile(r'"?(?P<name>[a-z0-9-]+)"?:\[\d+,\d+,\[(?P<other>[^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?')


def finish(folder: Path) -> None:
    """Every page of the built book `folder` gets its policy; icons and parts of MathJax that no page asks for go."""
    pages = [path for path in folder.rglob("*.html") if path.relative_to(folder).parts[0] != "_static"]
    for path in pages:
        text = path.read_text(encoding="utf-8")
        # The theme preloads the icons' fonts, which a browser refuses on file://; docutils gives references false roles
        done = with_policy(ROLE.sub("", FONT.sub("", text)), wasm=path.parent.name == "demo")
        if done != text:
            path.write_text(done, encoding="utf-8")
    _trim_icons(folder / "_static", pages)
    _trim_mathjax(folder / "_static", pages)


def with_policy(text: str, wasm: bool = False) -> str:
    """The page with a policy that lets its own inline scripts run, by their hashes, and no other. `wasm`: WebAssembly too.

    Once more over its own result changes nothing.
    """
    text = OLD_META.sub("", text)
    codes = {found["code"] for found in INLINE.finditer(text) if _runs(found["attributes"])}
    handlers = {unescape(found["code"]) for found in HANDLER.finditer(text)}
    allowed = sorted(map(_hash, codes)) + (["'unsafe-hashes'", *sorted(map(_hash, handlers))] if handlers else [])
    meta = META.format(policy=POLICY.format(scripts=" ".join(allowed + [WASM] * wasm)).replace(" ;", ";"))
    head = re.search(r"<head[^>]*>\s*<meta charset[^>]*>|<head[^>]*>", text)  # before anything that it governs
    at = head.end() if head else 0
    return text[:at] + meta + text[at:]


def _runs(attributes: str) -> bool:
    """Whether a script element is code that stands in the page: neither data nor a file."""
    return " src=" not in attributes and ("type=" not in attributes or "javascript" in attributes)


def _hash(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def _trim_icons(static: Path, pages: list[Path]) -> None:
    """Font Awesome's script draws 2,000 icons; a page shows a dozen. Keep those that a page or a script of the theme names."""
    wanted: set[str] = set()
    for path in [*pages, *(static / "scripts").rglob("*.js"), *static.glob("*.js")]:
        wanted |= set(re.findall(r"\bfa-([a-z0-9-]+)", path.read_text(encoding="utf-8")))

    def keep(icon: re.Match) -> str:
        return icon[0] if {icon["name"], *re.findall(r'"([a-z0-9-]+)"', icon["other"])} & wanted else ""

    for path in static.glob("vendor/fontawesome/*/js/all.min.js"):
        text = path.read_text(encoding="utf-8")
        kept = ICON.sub(keep, text)
        if kept != text:
            path.write_text(kept, encoding="utf-8")


def _trim_mathjax(static: Path, pages: list[Path]) -> None:
    """Of MathJax's bundles, 15 MB, the one that the pages load; and no maps of style sheets."""
    loaded = set(re.findall(r'_static/mathjax/([\w-]+\.js)"', "".join(path.read_text(encoding="utf-8") for path in pages)))
    bundles = [*static.glob("mathjax/tex-*.js"), *static.glob("mathjax/mml-*.js")]
    for path in [*(path for path in bundles if path.name not in loaded), *static.glob("styles/*.css.map")]:
        path.unlink()
    if "tex-chtml.js" in loaded:
        shutil.rmtree(static / "mathjax" / "output" / "svg", ignore_errors=True)
