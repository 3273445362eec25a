"""Names that whoever brings them never meant to be harmless: what a paper must show as it is.

`strings(n)` draws them from a fixed seed: quotes, braces and markup of every language that the
paper passes through, tags, right-to-left text, emoji, control characters, formulas of
spreadsheets, and hundreds of characters at once.
"""

from __future__ import annotations

import random

from takeoff import wording

PIECES = [
    # Typst
    '#eval("1+1")', '#read("/etc/passwd")', "#import \"x.typ\": *", "#panic()", "$ x^2 $", "]", "[",
    "#[", "*b*", "_i_", "`raw`", "```", "@ref", "<label>", "= Heading", "- item", "+ 1", "/ T: d",
    "// no", "/* no", "\\", "\\u{1F600}", "~", "--", "...", "#let x = 1;", "#link(\"http://a.b\")",
    '")', '";', "#num(\"1\", \"a\", \"b\");", "#fig(\"x\")",
    # Jinja
    "{{ 7 * 7 }}", "{% if %}", "{# no #}", "<< num('x') >>", "<% raw %>", "<# no #>", "{{", ">>",
    "%>",
    # HTML, SVG and what runs in them
    "<script>alert(1)</script>", "</script><script>alert(2)//", "<img src=x onerror=alert(3)>",
    "<b>",
    "</title>", "</style>", "</svg>", "<svg onload=alert(4)>", "<!--", "-->", "]]>", "<![CDATA[",
    "&lt;b&gt;", "&amp;", "&#x3c;", "&nbsp", "javascript:alert(5)", '" onmouseover="alert(6)', "'",
    "' autofocus onfocus='alert(7)", "<a href=javascript:alert(8)>", "<iframe>", "<?xml ?>", "&",
    "<", ">",
    "<div class=\"svg-slot\" data-figure=\"cost\" data-alt=\"\"></div>", "\"", "``", "style=\"x\"",
    'id="x"', 'href="#x"', "url(#x)", "xlink:href", "#1b1f24", "<g id=\"a:b\"", "data-o=\"1\"",
    # Markdown and RST
    "![x](http://a.b/c.png)", "[x](javascript:alert(9))", "# H", "> q", "| a | b |", "***", "---",
    "<http://a.b>", ":::{danger}", "{raw} html", "$$x$$", "[^1]", "{{ sub }}", ".. raw:: html",
    "|x|_",
    # LaTeX and mathtext
    "\\input{/etc/passwd}", "\\write18{ls}", "$\\frac{1}{2}$", "%", "{", "}", "\\end{document}",
    "^_",
    # spreadsheets, shells, paths, JSON
    "=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "; rm -rf /", "$(id)", "`id`",
    "../../x",
    "%s%n", "%(x)s", "{0}", "null", "NaN", "\\u0022", "{\"a\": 1}", "__class__", "C:\\x\\n",
    # scripts, signs, and what isn't any
    "\u05e8\u05e9\u05ea", "\u0645\u0631\u062d\u0628\u0627", "\u202eturned\u202c", "\u2066iso\u2069",
    "\u200b", "\u200d", "\ufeff", "\u0301", "e\u0301", "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u00a0", "\u2028", "\u2029", "\x00", "\x01", "\x07", "\x0b", "\x1b[31m", "\x7f", "\x85",
    "\r\n", "\n", "\t",
    "\ud800", "\ue000", "\ufffe", "\uffff", "\U000e0041", "\u6570\u636e",
    "\u00fc\u00df\u0130\u0131", "\ufdfd",
    "A" * 500, "\u0041\u030a" * 100, "very long name of a learner " * 20, "<" * 250,
]  # fmt: skip


def strings(count: int, seed: int = 0) -> list[str]:
    """So many different strings; each leaves something to be shown."""
    drawn = random.Random(seed)
    found: dict[str, None] = dict.fromkeys(piece for piece in PIECES if wording.clean(piece))
    while len(found) < count:
        pieces = drawn.choices(PIECES, k=drawn.randint(2, 5))
        string = drawn.choice(["", " ", "x", "\n"]).join(pieces)[: drawn.choice([40, 120, 500])]
        if wording.clean(string):
            found[string] = None
    mixed = list(found)
    drawn.shuffle(mixed)
    return mixed[:count]
