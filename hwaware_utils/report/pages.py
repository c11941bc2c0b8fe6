"""The last touch on the built HTML pages: a content-security policy for each, and no part of the theme that nobody sees.

Runs over all pages at each build's end, also over those that Sphinx did not write anew: doing it twice changes nothing.
"""

import base64
import hashlib
import re
from html import unescape
from pathlib import Path

from .theme import trim_theme

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
# Font Awesome's script would draw once more what its font shows already; what that shows is no letter to read aloud
ICON_SCRIPT = re.compile(r"<(?:script|link)\b[^>]*/fontawesome/[^>]*\.js\b[^>]*>(?:\s*</script>)?\s*")
ICON = re.compile(r'<i (?=class="(?:[^"]* )?fa[srb]? |class="(?:[^"]* )?fa-)')


def finish(folder: Path) -> None:
    """Every page of the built book `folder` gets its policy, and the theme shrinks to what they show."""
    pages = [path for path in folder.rglob("*.html") if path.relative_to(folder).parts[0] != "_static"]
    for path in pages:
        read = path.read_text(encoding="utf-8")
        # The theme preloads the icons' fonts, which a browser refuses on file://; docutils gives references false roles
        text = ICON.sub('<i aria-hidden="true" ', ICON_SCRIPT.sub("", ROLE.sub("", FONT.sub("", read))))
        done = with_policy(text, wasm=path.parent.name == "demo")
        if done != read:
            path.write_text(done, encoding="utf-8")
    trim_theme(folder / "_static", pages, [*folder.rglob("*.js")])


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
