"""The page for readers who see it otherwise, hear it, or have no mouse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import browser
import pytest
import synthetic_study
from matplotlib.figure import Figure

from takeoff.paper import figures, scales, typeset
from takeoff.paper import report as paper
from takeoff.study import load_study

REPORTS = Path(__file__).parents[1] / "reports"
OPEN_A_NUMBER = """
  for (let i = 0; i < 100 && !document.querySelector("dialog[open]"); i += 1) {
    document.querySelector("main b").click();
    await new Promise((later) => setTimeout(later, 20));
  }
  if (!document.querySelector("dialog[open]")) throw Error("no panel opens");"""
ALL_ALONE = """
  for (const plot of document.querySelectorAll(".plot")) plot.querySelector("button")?.click();
  if (!document.querySelector(".plot .dim")) throw Error("nothing is dimmed");"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the synthetic study, with its figures."""
    folder = tmp_path_factory.mktemp("accessible")
    some = synthetic_study.results()
    for name, figure in synthetic_study.draw(some, load_study(synthetic_study.config()).ladder()):
        figures.save(figure, folder / "figures" / f"{name}.svg", name)
    paper.render(some, folder / "figures", REPORTS, folder / "report")
    return folder / "report" / "report.html"


# Rules of axe-core


@browser.needs_axe
@pytest.mark.parametrize("width", [500, 1700])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(page: Path, dark: bool, width: int) -> None:
    """On small and on wide screens, in light and in dark."""
    assert_no_violation(browser.audit(page, dark, width), dark)


@browser.needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("state", [OPEN_A_NUMBER, ALL_ALONE], ids=["origin", "alone"])
def test_axe_finds_nothing_in_what_opens(page: Path, dark: bool, state: str) -> None:
    """The panel of a number's origin; figures of which one series is shown."""
    assert_no_violation(browser.audit(page, dark, before=state), dark)


def assert_no_violation(found: dict[str, Any], dark: bool) -> None:
    assert "error" not in found, found["error"]
    assert found["dark"] is dark, "the browser doesn't take the scheme"
    assert {"color-contrast", "button-name"} <= set(found["passed"])
    assert not found["violations"], "\n\n".join(found["violations"])


@browser.needs_axe
def test_axe_finds_what_is_wrong(tmp_path: Path) -> None:
    """A button without a name, in a grey that is too light: the audit isn't blind."""
    wrong = tmp_path / "wrong.html"
    wrong.write_text(
        "<!doctype html><html lang='en'><title>t</title><body><main><h1>t</h1><button></button>"
        "<p style='color:#bbb;background:#fff'>faint</p></main></body></html>"
    )
    found = browser.audit(wrong, dark=False)["violations"]
    assert {text.split("\n")[0] for text in found} == {"button-name", "color-contrast"}


# Figures


@browser.needs_browser
def test_a_legend_shows_a_series_alone(page: Path) -> None:
    """Pressed once it dims all others, another one takes over, and pressed again all are back."""
    said = browser.run(page, """
      const plot = page.querySelector(".plot:has(button)");
      const [first, second] = plot.querySelectorAll("button");
      const shown = () => new Set(
        [...plot.querySelectorAll("[data-s]:not(.dim)")].map(group => group.dataset.s)).size;
      const pressed = () => [first, second].map(button => button.ariaPressed);
      const all = shown();
      const states = [first, second, second].map(button => {
        button.click(); return [shown(), ...pressed()]; });
      first.focus();
      return { all, states, names: [first, second].map(button => button.ariaLabel),
               focused: page.activeElement === first, native: first.type };
    """)  # fmt: skip
    assert said["all"] == 6
    assert said["states"] == [[1, "true", "false"], [1, "false", "true"], [6, "false", "false"]]
    assert said["names"][0] == "Only logistic regression" and said["names"][1] != said["names"][0]
    assert said["focused"] and said["native"] == "button"


@browser.needs_browser
def test_legends_lie_under_their_buttons(page: Path) -> None:
    """A button covers the mark and the text of its entry, at any size of the figure."""
    for width in ("400px", "1100px"):
        apart = browser.run(page, f"""
          const plot = page.querySelector(".plot:has(button)");
          plot.style.width = "{width}";
          return [...plot.querySelectorAll(".key")].map((key, i) => {{
            const [a, b] = [key, key.nextElementSibling].map(part => part.getBoundingClientRect());
            const over = plot.querySelectorAll("button")[i].getBoundingClientRect();
            return over.left <= a.left + 1 && over.right >= b.right - 1
              && over.top <= b.top + 1 && over.bottom >= b.bottom - 1; }});
        """)  # fmt: skip
        assert apart and all(apart)


@browser.needs_browser
def test_marks_tell_their_values(page: Path) -> None:
    """By arrow keys and by pointer: what was drawn, to about three digits, with its m."""
    some = synthetic_study.results()
    curves, titles = some.curves, {name: sheet["title"] for name, sheet in some.sheets.items()}
    label = "small network"
    told = browser.run(page, f"""
      const plot = page.querySelector(".plot:has(button)");
      const button = plot.querySelector("button[aria-label='Only {label}']");
      const tip = plot.querySelector("output"), hidden = [tip.hidden];
      const all = [];
      for (let i = 0; i < 18; i += 1) {{ press(button, "ArrowRight"); all.push(tip.value); }}
      press(button, "Escape");
      hidden.push(tip.hidden);
      const svg = plot.querySelector("svg"), seen = svg.getBoundingClientRect();
      const [x, y] = plot.querySelector("[data-m]").getAttribute("d").match(/\\d+/g);
      const unit = seen.width / svg.viewBox.baseVal.width;
      svg.dispatchEvent(new frame.contentWindow.PointerEvent("pointermove", {{
        clientX: seen.left + x * unit, clientY: seen.top + y * unit }}));
      hidden.push(tip.hidden);
      return {{ all, hidden, pointed: tip.value, role: tip.localName }};
    """)  # fmt: skip
    assert told["hidden"] == [True, True, False] and told["role"] == "output"
    own = curves[curves["learner"] == "mlp_small"]
    own = own.sort_values(["dataset", "m"])  # the order of the panels, too
    drawn = own.to_dict("records")
    assert len(drawn) == len(told["all"]) == 18
    for text, row in zip(told["all"], drawn, strict=True):
        found = re.fullmatch(rf"(.+), {label}: about ([\d.]+)% at m = ([\d,]+)", text)
        assert found, text
        assert found[1] == titles[row["dataset"]]
        assert int(found[3].replace(",", "")) == row["m"]
        assert float(found[2]) == pytest.approx(100 * row["test_error"], rel=0.006)
    assert re.fullmatch(r"[^,]+: about [\d.]+% at m = [\d,]+", told["pointed"])


def panel(**settings: Any) -> tuple[Figure, Any]:
    """A figure of one panel with one series; its axes."""
    figure = Figure(figsize=(4, 3))
    ax = figure.subplots()
    ax.plot([1, 10, 100], [2, 4, 8], marker="o", gid="one:line")
    ax.set(**settings)
    return figure, ax


def attributes(figure: Figure, folder: Path) -> dict[str, str]:
    """What the panel in the saved SVG says of its scales."""
    figures.save(figure, folder / "figure.svg", "figure")
    text = (folder / "figure.svg").read_text()
    return dict(re.findall(r'data-([xy])="([^"]*)"', text))


def test_scales_are_those_of_the_panel(tmp_path: Path) -> None:
    """Places that are told lie where matplotlib drew the marks of these values."""
    figure, ax = panel(yscale="log", ylabel="cost (EUR)", ylim=(1, 10))
    ax.set_yticks([2, 8], ["2", "8"])
    ax.set_yticks([], minor=True)
    kind, *places = attributes(figure, tmp_path)["y"].split("|")[0].split(" ")
    drawn = re.findall(r'<use [^>]*y="([\d.]+)"', (tmp_path / "figure.svg").read_text())
    assert kind == "log" and places[2:] == ["2", "8"]
    for place in places[:2]:
        assert any(abs(float(place) - float(y)) < 0.1 for y in drawn)


@pytest.mark.parametrize(
    ("labels", "end"),
    [
        (["200%", "800%"], "200 800|%"),
        (["2", "8"], "2 8|EUR"),
        (["one", "two"], None),
        (["3", "4"], None),
        (["2", "eight"], None),
    ],
)
def test_names_on_an_axis_are_no_values(tmp_path: Path, labels: list[str], end: str | None) -> None:
    """Only labels that tell what is there; a unit comes from them, or from the axis label."""
    figure, ax = panel(ylabel="cost (EUR)", yscale="log", ylim=(1, 10))
    ax.set_yticks([2, 8], labels)
    said = attributes(figure, tmp_path).get("y")
    assert said is None if end is None else said and said.endswith(end)


def test_a_unit_is_text(tmp_path: Path) -> None:
    """Whatever someone calls the unit of their data, it ends no attribute and no tag."""
    figure, ax = panel(yscale="log", ylim=(1, 10))
    ax.set_ylabel('cost ("> <b>)')
    ax.set_yticks([2, 8], ["2", "8"])
    figures.save(figure, tmp_path / "figure.svg", "figure")
    inline = typeset.inline_svg("f", (tmp_path / "figure.svg").read_text(), "", [])
    ElementTree.fromstring(inline)
    assert "2 8|&quot;&gt; &lt;b&gt;" in inline and "<b>" not in inline


def test_small_values_keep_their_digits(tmp_path: Path) -> None:
    """The page shortens decimals in a figure; those of scales have none to lose."""
    figure, ax = panel(yscale="log", ylim=(1e-3, 1))
    ax.set_yticks([0.0025, 0.5], ["0.0025", "0.5"])
    figures.save(figure, tmp_path / "figure.svg", "figure")
    inline = typeset.inline_svg("f", (tmp_path / "figure.svg").read_text(), "", [])
    assert re.search(r'data-y="log \d+ \d+ 25e-4 0.5"', inline)


def test_a_panel_without_series_says_nothing(tmp_path: Path) -> None:
    """There would be nothing to read off it."""
    figure = Figure()
    figure.subplots().plot([1, 2], [3, 4])
    assert attributes(figure, tmp_path) == {}


def test_marks_of_bounds_are_told_apart(tmp_path: Path) -> None:
    """They belong to a series, and the page doesn't read a value off them."""
    figure, ax = panel(yscale="log", ylim=(1, 10))
    ax.plot([5, 50], [3, 7], ls="none", marker="o", gid=f"one:least:{scales.UNTOLD}")
    figures.save(figure, tmp_path / "figure.svg", "figure")
    inline = typeset.inline_svg("f", (tmp_path / "figure.svg").read_text(), "", [])
    (group,) = re.findall(r'<g data-s="one">(.*?)</g>', inline)
    assert [("data-m" in path) for path in group.split("/>")[:-1]] == [True, False]
