"""The theme's style sheets and icons without what no page can show: a third of a megabyte less on each page.

Sphinx copies them anew at every build, so what is cut here is back before the next cut.
"""

import re
from pathlib import Path

import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont

CLASSES = re.compile(r'\bclass="([^"]*)"')
WOFF2 = re.compile(r'url\([^()]*\.woff2\) ?format\("woff2"\), ?')
ICON = re.compile(r"\\(f[0-9a-f]{3})\b|([\uf000-\uf8ff])")  # of Font Awesome, as CSS may write it
NESTING = ("media", "supports")
COMPOSED = {"bs-tooltip-auto"}  # a name that Bootstrap puts together only when it runs: no script holds it


def trim_theme(static: Path, pages: list[Path], scripts: list[Path]) -> None:
    """Cut the style sheets and icons of `static` down to what the `pages` hold and the `scripts` may add to them."""
    words = {word for path in pages for found in CLASSES.findall(path.read_text(encoding="utf-8")) for word in found.split()}
    words |= COMPOSED
    for path in scripts:
        words |= set(re.findall(r"[\w-]+", path.read_text(encoding="utf-8")))
    sheets = {path: trim_sheet(path.read_text(encoding="utf-8"), words) for path in static.rglob("*.css")}
    for path, text in sheets.items():
        path.write_text(text, encoding="utf-8")
    icons = {code or f"{ord(sign):x}" for text in sheets.values() for code, sign in ICON.findall(text)}
    for path in static.glob("vendor/fontawesome/*/webfonts/*.ttf"):
        trim_font(path, [int(code, 16) for code in icons])
    for unused in ("vendor/fontawesome/*/webfonts/*.woff2", "vendor/fontawesome/*/js/all.min.js", "styles/*.css.map"):
        for path in static.glob(unused):
            path.unlink()


def trim_sheet(css: str, words: set[str]) -> str:
    """The style sheet without the rules whose every selector asks for a class that is not among the `words`.

    >>> trim_sheet(".a, .b:not(.c) { margin: 0 } @media print { .b .c { margin: 0 } i { margin: 1px } }", {"b"})
    '.a, .b:not(.c) { margin: 0 }@media print {i { margin: 1px }}'
    """
    rules = tinycss2.parse_stylesheet(WOFF2.sub("", css), skip_whitespace=True)
    return "".join(rule.serialize() for rule in _kept(rules, words))


def _kept(rules: list, words: set[str]):
    for rule in rules:
        if rule.type == "qualified-rule" and not any(asked <= words for asked in _classes(rule.prelude)):
            continue
        if rule.type == "comment" and not rule.value.startswith("!"):  # those with a licence
            continue
        if rule.type == "at-rule" and rule.lower_at_keyword in NESTING:
            rule.content = list(_kept(tinycss2.parse_rule_list(rule.content, skip_whitespace=True), words))
        yield rule


def _classes(prelude: list) -> list[set[str]]:
    """The classes that each selector asks for. What stands in brackets, as in :not(.a), need not be there."""
    found, after_dot = [set()], False
    for token in prelude:
        if token == ",":
            found.append(set())
        elif after_dot and token.type == "ident":
            found[-1].add(token.value)
        after_dot = token == "."
    return found


def trim_font(path: Path, icons: list[int]) -> None:
    with TTFont(path, recalcTimestamp=False) as font:
        cutter = subset.Subsetter()
        cutter.populate(unicodes=icons)
        cutter.subset(font)
        font.save(path)
