"""The paper's text: Jinja templates that write Typst, and the rules they keep.

Two rules make a template safe by default. Whatever it prints with `<< >>` is shown as it is: a
label such as `#eval("...")` or `a $ b` reaches the reader in these very characters. And numbers can
be printed only as facts, by id; a number that is neither a fact nor counted in words is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from markupsafe import Markup

from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.paper.fact import Fact
from takeoff.paper.facts import Facts

DELIMITERS: dict[str, Any] = {
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "block_start_string": "<%",
    "block_end_string": "%>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
IN_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def write_typst(reports: Path, facts: Facts, context: dict[str, Any]) -> str:
    """Fill in paper.typ.j2.

    Args:
        reports: Folder of the templates.
        facts: What `num` and `estimate` look up.
        context: Everything else that the templates use.

    Raises:
        TakeoffError: A template is broken, or uses a fact or a variable that isn't there.
    """
    environment = _environment(reports, facts)
    try:
        return environment.get_template("paper.typ.j2").render(context)
    except jinja2.TemplateNotFound as error:
        raise TakeoffError("this template is missing", where=f"reports/{error.name}") from error
    except jinja2.TemplateSyntaxError as error:
        where = f"reports/{error.name}:{error.lineno}"
        raise TakeoffError(str(error.message), where=where) from error
    except jinja2.UndefinedError as error:
        raise TakeoffError(str(error), where=_template_line(error)) from error


def _environment(reports: Path, facts: Facts) -> jinja2.Environment:
    environment = _Environment(
        loader=jinja2.FileSystemLoader(reports),
        undefined=jinja2.StrictUndefined,
        autoescape=True,  # leaves alone what is marked as Typst, and `finalize` marks all else
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        **DELIMITERS,
    )
    environment.filters["quoted"] = quoted
    environment.filters["capitalised"] = lambda text: text[:1].upper() + text[1:]
    environment.globals |= {
        "num": _by_id(facts, _with_unit),
        "estimate": _by_id(facts, _estimate),
        "cell": _by_id(facts, _cell),
        "interval": _by_id(facts, lambda fact: shown(fact.interval or "")),
        "n_of": _by_id(facts, lambda fact, one, many: counted(int(fact.value or 0), one, many)),
        "bare": Markup,
        "known": lambda fact_id: fact_id in facts and facts[fact_id].value is not None,
        "counted": counted,
        "joined": wording.joined,
    }
    return environment


class _AtRunTime(CodeGenerator):
    """Leaves constants in `<< >>` to `finalize`; Jinja would print them without it."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Any, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class _Environment(jinja2.Environment):
    code_generator_class = _AtRunTime


def _by_id(facts: Facts, write: Callable[..., str]) -> Callable[..., str]:
    """A template function that takes the id of a fact; a missing one names the template."""

    @jinja2.pass_context
    def look_up(context: jinja2.runtime.Context, fact_id: str, *nouns: str) -> str:
        try:
            return write(facts[fact_id], *nouns)
        except TakeoffError as error:
            where = f"reports/{context.name}"
            raise TakeoffError(error.problem, where=where, remedy=error.remedy) from None

    return look_up


def _template_line(error: Exception) -> str:
    """Where in the templates an error came from."""
    where, trace = "reports/paper.typ.j2", error.__traceback__
    while trace:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.name.endswith(".typ.j2"):
            where = f"{file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


# What `<< >>` prints


def shown(value: Any) -> Any:
    """A string as Typst markup that shows exactly this string.

    Raises:
        TakeoffError: The value is a number, which has to be a fact.
    """
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    if isinstance(value, str):
        return Markup(f"#{quoted(value)};") if value else Markup("")
    raise TakeoffError(
        f"a template prints {value!r}, which is neither text nor a fact",
        where="reports",
        remedy="print numbers with num(id) or estimate(id)",
    )


def quoted(text: str) -> Markup:
    """A Typst string literal."""
    escaped = "".join(ESCAPES.get(character, character) for character in wording.clean(str(text)))
    return Markup(f'"{escaped}"')


def in_words(n: int) -> str:
    """Small counts in words."""
    return IN_WORDS[n] if n < len(IN_WORDS) else wording.count(n)


def counted(n: int, one: str, many: str) -> str:
    """A count with its noun, in words: one pair, three pairs."""
    return f"{in_words(n)} {one if n == 1 else many}"


def _number(fact: Fact, beside: bool = False) -> Markup:
    """A number with its fact's id, and its interval unless that stands beside it."""
    hidden = fact.interval if not beside else None
    told = f", interval: {quoted(hidden)}" if hidden else ""
    return Markup(f"#num({quoted(fact.text)}, {quoted(fact.id)}{told});")


def _with_unit(fact: Fact, beside: bool = False) -> Markup:
    """A number in a sentence."""
    suffix = fact.suffix if fact.value is not None else ""
    return _number(fact, beside) + (Markup(f"~{shown(suffix)}") if suffix else Markup(""))


def _estimate(fact: Fact) -> Markup:
    """A number with its interval in brackets, where it has one."""
    interval = Markup(f" (#{quoted(fact.interval)};)") if fact.interval else Markup("")
    return _with_unit(fact, beside=True) + interval


def _cell(fact: Fact) -> Markup:
    """A number with its interval below it, for a table, whose head or caption has the unit."""
    if not fact.interval:
        return _number(fact)
    return Markup(f"#above-interval[{_number(fact, beside=True)}][#{quoted(fact.interval)};]")


# No typed numbers


def check_prose(templates: Path) -> None:
    """Refuse digits typed into the prose of the templates, and counts typed in words.

    Prose is what a reader reads: Typst markup, content in square brackets (captions, cells),
    alternative texts, and sentences handed over as strings in Jinja tags. Free are other Jinja,
    Typst code and its arguments, comments, raw text, formulas, labels and references.

    "three repeats" is as wrong as "3 repeats" where there are five: a count in words goes through
    `counted` or `n_of`. A line with the comment `<# idiom #>` may say what is always true, such as
    "no two learners".

    Args:
        templates: Folder that is searched for *.j2.

    Raises:
        TakeoffError: Names file, line and what was typed.
    """
    for file in sorted(templates.rglob("*.j2")):
        where = f"{templates.name}/{file.relative_to(templates).as_posix()}"
        text = file.read_text(encoding="utf-8")
        if file.name.endswith(".typ.j2"):
            _refuse(where, [*typed_numbers(text), *typed_counts(text)])
        elif file.name.endswith(".md.j2"):
            _refuse(where, _numbers_in(_markdown(text)))


def _refuse(where: str, found: Iterable[tuple[int, str]]) -> None:
    for line, typed in found:
        kind, remedy = ("number", "num(id)") if typed[0].isdigit() else ("count", "n_of(id, ...)")
        raise TakeoffError(
            f"the {kind} {typed} is typed into the prose",
            where=f"{where}:{line}",
            remedy=f"print a fact instead: << {remedy} >>",
        )


def typed_numbers(template: str) -> Iterator[tuple[int, str]]:
    """Line and text of every number in the prose of a template."""
    for prose in (_Reader(_without_jinja(template)).read(), _said_in_jinja(template)):
        yield from _numbers_in(prose)


def _numbers_in(prose: str) -> Iterator[tuple[int, str]]:
    for match in re.finditer(r"[\d][\d.,]*", prose):
        yield prose.count("\n", 0, match.start()) + 1, match.group().rstrip(".,")


def typed_counts(template: str) -> Iterator[tuple[int, str]]:
    """Line and text of every count in words of what a study can have more or fewer of."""
    exempt = {line for line, text in enumerate(template.split("\n"), 1) if IDIOM.search(text)}
    for prose in (_Reader(_without_jinja(template)).read(), _said_in_jinja(template)):
        for match in COUNT.finditer(prose):
            line = prose.count("\n", 0, match.start()) + 1
            if line not in exempt:
                yield line, " ".join(match.group().split())


IDIOM = re.compile(r"<#-?\s*idiom\s*-?#>")
COUNT = re.compile(
    r"""
    \b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen)
    (?:[\s-]+[a-z]+)?      # three measured curves
    [\s-]+
    (?:data\ssets|repeats|learners|networks|claims|parts|pairs|runs|cells|curves|doublings
       |classes|features|settings|seeds|values|figures|panels|measures|labels|examples|rows)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
JINJA = re.compile(r"<<.*?>>|<%.*?%>", re.DOTALL)
JINJA_STRING = re.compile(r"""\"([^\"]*)\"|'([^']*)'""")


def _said_in_jinja(template: str) -> str:
    """The strings in Jinja tags that are sentences, or parts of them, on their lines."""
    template = re.sub(r"<#.*?#>", _blank, template, flags=re.DOTALL)
    kept, at = [], 0
    for tag in JINJA.finditer(template):
        for string in JINJA_STRING.finditer(tag.group()):
            text = string[1] or string[2] or ""
            if re.search(r"\s", text):
                start = tag.start() + string.start()
                kept.append("\n" * template.count("\n", at, start) + text + " . ")
                at = start + text.count("\n")
    return "".join(kept)


def _markdown(template: str) -> str:
    """A Markdown template without its tags, code and addresses."""
    return re.sub(r"```[^\n]*|`[^`]*`|\]\([^)]*\)", _blank, _without_jinja(template))


def _without_jinja(template: str) -> str:
    """The template with its tags blanked; what the `quoted` filter wraps counts as content."""
    template = re.sub(r"<%-?\s*filter quoted\s*-?%>", lambda found: _blank(found, "["), template)
    template = re.sub(r"<%-?\s*endfilter\s*-?%>", lambda found: _blank(found, "]"), template)
    return re.sub(r"<#.*?#>|<%.*?%>|<<.*?>>", _blank, template, flags=re.DOTALL)


def _blank(found: re.Match[str], mark: str = " ") -> str:
    """As many lines as were found, and nothing else."""
    return mark + "\n" * found.group().count("\n")


SKIPPED = re.compile(
    r"""
    //[^\n]* | /\*.*?\*/            # comments
    | ```.*?``` | `[^`]*`           # raw text
    | \$[^$]*\$                     # formulas
    | <[\w:.-]+> | @[\w:.-]*\w      # labels and references
    | \\.                           # escapes
    """,
    re.VERBOSE | re.DOTALL,
)
STATEMENT = re.compile(r"#(let|set|show|import|include|if|for|while|context)\b")
CALL = re.compile(r"#[\w.-]*(?=[(\[{])")
MORE_ARGUMENTS = re.compile(r"(?:\.[\w-]+)?[(\[]")  # of the call that was just closed
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
CLOSERS = {"(": ")", "[": "]", "{": "}"}
IN_STATEMENT = "="


class _Reader:
    """Reads Typst from left to right and keeps the prose, and every line end.

    `opened` holds the open brackets, outermost first: after `[` comes prose, after `(`, `{` and
    `#let` (up to the end of its line) comes code.
    """

    def __init__(self, typst: str):
        self.typst, self.at = typst, 0
        self.opened: list[str] = []
        self.kept: list[str] = []

    @property
    def in_code(self) -> bool:
        return bool(self.opened) and self.opened[-1] != "["

    def read(self) -> str:
        while self.at < len(self.typst):
            if not (self._skipped() or self._opens() or self._closes()):
                self._character()
        return "".join(self.kept)

    def _skipped(self) -> bool:
        found = SKIPPED.match(self.typst, self.at)
        if found and self.typst.startswith("://", self.at - 1):  # of an address, not a comment
            found = None
        if not found and self.in_code:
            found = STRING.match(self.typst, self.at)
        if found:
            self.kept.append("\n" * found.group().count("\n"))
            self.at = found.end()
        return bool(found)

    def _opens(self) -> bool:
        if self.in_code:
            if self.typst[self.at] not in CLOSERS:
                return False
            self._open(self.at)
        elif statement := STATEMENT.match(self.typst, self.at):
            self.opened.append(IN_STATEMENT)
            self.at = statement.end()
        elif call := CALL.match(self.typst, self.at):
            self._open(call.end())
        else:
            return False
        return True

    def _open(self, at: int) -> None:
        self.opened.append(self.typst[at])
        self.at = at + 1

    def _closes(self) -> bool:
        if not self.opened or self.typst[self.at] != CLOSERS.get(self.opened[-1]):
            return False
        self.opened.pop()
        self.at += 1
        if not self.in_code and (more := MORE_ARGUMENTS.match(self.typst, self.at)):
            self._open(more.end() - 1)
        return True

    def _character(self) -> None:
        character = self.typst[self.at]
        if character == "\n" and self.opened and self.opened[-1] == IN_STATEMENT:
            self.opened.pop()
        if character == "\n" or not self.in_code:
            self.kept.append(character)
        self.at += 1
