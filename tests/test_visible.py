"""What comes from elsewhere is shown as text: no terminal obeys it, no page links, notifies or runs it."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cmarkgfm
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portgen import markdown
from portgen.problem import Exit
from portgen.visible import visible, visible_json
from tests.estates import TWO_SERVICES as INVENTORY
from tests.limit import HANGS

Run = Callable[..., Any]

GUIDE = "output/box/docs/PORTS.md"
# What a terminal obeys: a title set, a colour, an erased line, a C1 control sequence; what turns what
# follows, and what is not seen.
NASTY = (
    "\x1b]0;pwned\x07 \x1b[8m \x1b[2K\r \x9b31m \x7f \u202egnp.exe\u202c \u2066x\u2069 "
    "\u200b \u2060 \ufeff \u00ad \U000e0041 \u2028 \u061c"
)
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


@pytest.fixture
def rendered(tmp_path: Path, portgen: Run) -> Path:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    assert portgen("render", "--yes").code == Exit.OK
    return tmp_path


# --- terminals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("no_color", ["1", ""])
@pytest.mark.parametrize(
    "command",
    [
        ["render", "--check"],
        ["render", "--yes"],
        ["explain", f"{GUIDE}:1"],
        ["explain", f"{GUIDE}:2"],
        ["diff"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("format_", ["text", "json", "github", "markdown"])
def test_nothing_of_a_file_in_output_reaches_a_terminal(
    rendered: Path,
    portgen: Run,
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
    command: list[str],
    no_color: str,
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    guide = rendered / GUIDE
    guide.write_text(
        f"{NASTY} portgen:alpha\n# portgen:alpha {NASTY}\n" + guide.read_text(), newline=""
    )
    run = portgen(*command, "--format", format_)
    assert not UNSEEN.search(run.out + run.err.replace(markdown.PART, ""))
    if command[0] == "render" and format_ == "json":
        (change,) = [
            change
            for change in json.loads(run.out)["changes"]
            if change["path"] == "box/docs/PORTS.md"
        ]
        assert f"-{NASTY} portgen:alpha\n" in change["diff"]
    elif command[0] == "render":
        assert r"-\x1b]0;pwned\x07 \x1b[8m \x1b[2K\x0d \x9b31m \x7f \u202egnp.exe\u202c" in run.out


@pytest.mark.parametrize(
    "command", [("lint", "\x1b]0;x\x07"), ("\x9b31m",), ("verify", "\u202egnp")]
)
def test_what_was_typed_is_shown_as_text(portgen: Run, command: tuple[str, ...]) -> None:
    """Often it was not typed: a glob found it, or a hook passed a file's name on."""
    ran = portgen(*command)
    assert ran.code == Exit.USAGE
    assert not set("\x1b\x07\x9b\u202e") & set(ran.err)


def test_colours_are_ours_alone(rendered: Path, portgen: Run) -> None:
    (rendered / GUIDE).write_text(
        f"\x1b[8mhidden\x1b[0m {NASTY}\n" + (rendered / GUIDE).read_text(), newline=""
    )
    out = portgen("render", "--check", "--color", "always").out
    assert "\x1b[31m-\\x1b[8mhidden\\x1b[0m" in out
    assert not UNSEEN.search(re.sub(r"\x1b\[[0-9;]*m", "", out))


@pytest.mark.parametrize("format_", ["text", "json", "github", "markdown"])
def test_a_comment_of_the_inventory_is_shown_with_what_is_hidden_in_it(
    rendered: Path, portgen: Run, format_: str
) -> None:
    text = INVENTORY.replace(
        "alpha: {port: 5000}", "alpha: {port: 5000}  # \u202ereverse \u200b\ufeff \u2066x\u2069"
    )
    (rendered / "inventory.yaml").write_text(text)
    run = portgen("move", "alpha", "5050", "--yes", "--format", format_)
    assert run.code == Exit.OK
    assert not UNSEEN.search(run.out + run.err)
    assert "\\u202ereverse" in run.out
    if format_ == "json":
        assert "\u202ereverse \u200b\ufeff" in json.loads(run.out)["changes"][0]["diff"]


def test_what_a_program_says_is_shown_as_text(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portgen.machine import programs

    monkeypatch.setattr(programs, "find", lambda _: "/bin/program")
    monkeypatch.setattr(
        programs,
        "run",
        lambda argv, **_: programs.Finished(
            1, NASTY, f"nginx: [emerg] {NASTY} in nginx.conf:1\n{NASTY}"
        ),
    )
    for format_ in ("text", "json", "github", "markdown"):
        run = portgen("verify", "--format", format_)
        assert not UNSEEN.search((run.out + run.err).replace(markdown.PART, ""))
    monkeypatch.setattr(
        programs, "run", lambda argv, **_: programs.Finished(128, "", f"fatal: {NASTY}\n")
    )
    run = portgen("diff", "main")
    assert not UNSEEN.search(run.out + run.err)


@given(st.text())
@example(NASTY)
def test_what_is_visible_is_the_same_text_and_json_reads_back_whole(text: str) -> None:
    shown = visible(text)
    assert not UNSEEN.search(shown)
    assert text.isprintable() <= (shown == text)
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text
    assert not UNSEEN.search(visible_json(json.dumps(text, ensure_ascii=False)))


# --- what no text may hold -----------------------------------------------------------------------

HIDDEN = [
    *map(
        chr,
        [
            *range(0x202A, 0x202F),
            *range(0x2066, 0x206A),
            0x200E,
            0x200F,
            0x061C,
            0x200B,
            0x2060,
            0xFEFF,
            0x180E,
            0xAD,
            0xE0001,
            0xE0041,
            0xE007F,
        ],
    )
]
FIELDS = [
    "title: X",
    "purpose: X",
    "schedule: X",
    "notes: X",
    "route: X",
    "route: {path: /a/, auth_file: X}",
    "route: {path: /a/, extra: [X]}",
    "ignore: {port-taken: X}",
]


@pytest.mark.parametrize("character", HIDDEN, ids=lambda character: f"U+{ord(character):04X}")
@pytest.mark.parametrize("field", FIELDS)
def test_a_text_holds_nothing_that_is_not_seen(
    tmp_path: Path, portgen: Run, field: str, character: str
) -> None:
    written = field.replace("X", f'"/a\\U{ord(character):08x}b/"')
    (tmp_path / "inventory.yaml").write_text(
        f"version: 1\nhosts: {{h: {{}}}}\nprojects:\n  p:\n    services:\n      s:\n        {written}\n"
    )
    run = portgen("lint")
    assert run.code == Exit.INVENTORY
    assert re.search(
        rf"^inventory\.yaml:7:{len('        ') + written.index(chr(34)) + 1}: error: "
        r"`/a\\.*b/` is not allowed here \[inventory\]$",
        run.out,
        re.MULTILINE,
    )
    assert (
        f"    hint: U+{ord(character):04X} is invisible, or turns the direction of what "
        "follows: leave it out\n" in run.out
    )


@pytest.mark.parametrize(
    "title", ["می\u200cخواهم", "क्\u200dष", "👩\u200d🚒", "שלום", "émigré", "監視"]
)
def test_what_languages_and_emoji_are_written_with_is_allowed(
    tmp_path: Path, portgen: Run, title: str
) -> None:
    (tmp_path / "inventory.yaml").write_text(
        f"version: 1\nhosts: {{h: {{}}}}\nprojects: {{p: {{services: {{s: {{title: {title}}}}}}}}}\n"
    )
    assert portgen("lint").code == Exit.OK


# --- Markdown ------------------------------------------------------------------------------------

TRICKS = [
    "@team and @org/team",
    "see https://evil.example/x or http://evil.example, ftp://evil.example, www.evil.example",
    "mail me@evil.example, mailto:me@evil.example",
    "[click](javascript:alert(1)) ![x](https://evil.example/pixel.png) <https://evil.example>",
    "<img src=x onerror=alert(1)><script>alert(1)</script> <!-- x --> &lt;b&gt; &#64;team",
    "#1 and owner/repo#12 and GH-7",
    "`code` ``x`` **bold** __bold__ _it_ ~~no~~ $x$ | a | b |",
    "line\n\n# heading\n- item\n```\nfence",
    "\\@team \\[a](b) \\\\| \\",
    "WWW.evil.example HTTPS://evil.example",
]
LETTERS = st.lists(
    st.sampled_from(
        [
            *"@#[]()<>!|\\`*_~$&;:/.w-1a \n",
            "www.",
            "https://",
            "GH-1",
            "a/b#1",
            "&amp;",
            "javascript:",
            "evil.example",
            "```",
        ]
    ),
    max_size=12,
)


def rendered_cell(cell: str) -> str:
    """The HTML of one cell, by GitHub's own parser, raw HTML let through."""
    table = f"| a | b |\n|---|---|\n| {cell} | end |\n"
    page = cmarkgfm.github_flavored_markdown_to_html(
        table, options=cmarkgfm.Options.CMARK_OPT_UNSAFE
    )
    (found,) = re.findall(
        r"<tbody>\n<tr>\n<td>(.*)</td>\n<td>end</td>\n</tr>\n</tbody>", page, re.DOTALL
    )
    return str(found)


def check_defused(shown: str) -> None:
    assert not re.search(r"@[A-Za-z0-9]|#[0-9]|\bGH-[0-9]|\bwww\.|://", shown, re.IGNORECASE)


@given(st.one_of(LETTERS.map("".join), st.text(max_size=40)))
@example("\n".join(TRICKS))
def test_a_text_in_markdown_is_that_text_and_nothing_else(value: str) -> None:
    cell = rendered_cell(markdown.text(value))
    assert "<" not in cell
    shown = html.unescape(cell)
    assert shown.replace(markdown.PART, "").split() == visible(value).replace("\n", " ").split()
    check_defused(shown)


@given(st.one_of(LETTERS.map("".join), st.text(max_size=40)))
def test_a_code_span_is_that_text_and_nothing_else(value: str) -> None:
    cell = rendered_cell(markdown.code(value))
    assert not re.sub("^<code>([^<]*)</code>$", r"\1", cell).count("<")
    if "<code>" not in cell:
        check_defused(html.unescape(cell))


@given(st.text("`~ a\n@", max_size=40))
def test_no_line_closes_its_fence(lines: str) -> None:
    page = cmarkgfm.github_flavored_markdown_to_html(markdown.fenced(lines, "diff") + "behind\n")
    assert re.fullmatch(
        r"<pre[^>]*><code[^>]*>[^<]*</code></pre>\n<p>behind</p>\n", page, re.DOTALL
    ), page


@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_every_markdown_that_is_printed_is_defused(
    rendered: Path, portgen: Run, trick: str
) -> None:
    title = json.dumps(f"{trick}!".replace("\n", " "))
    text = INVENTORY.replace(
        "alpha: {port: 5000}",
        f"alpha: {{port: 5000, title: {title}, purpose: {title}, notes: {json.dumps(trick)}, "
        f"ignore: {{port-taken: {title}}}}}",
    )
    text = text.replace(
        "    ports: 5000-5099",
        f"    title: {title}\n    purpose: {title}\n"
        f"    groups: [{{name: g, ports: 5050, purpose: {title}}}]\n    ports: 5000-5099",
    )
    (rendered / "inventory.yaml").write_text(text)
    pages = [
        portgen(*command, "--format", "markdown").out
        for command in (
            ["diff"],
            ["render", "--yes"],
            ["ports"],
            ["ports", "--free"],
            ["explain", "alpha"],
        )
    ]
    pages += [
        (rendered / GUIDE).read_text(),
        portgen("move", "alpha", "5051", "--yes", "--format", "markdown").out,
    ]
    (rendered / "inventory.yaml").write_text(
        text.replace("5001", f"5000, route: {{path: /beta/, extra: [{json.dumps(trick + ' x;')}]}}")
    )
    pages.append(portgen("lint", "--format", "markdown").out)
    assert all(pages)
    for page in pages:
        check_page(page)


def check_page(page: str) -> None:
    html_of_it = cmarkgfm.github_flavored_markdown_to_html(
        page, options=cmarkgfm.Options.CMARK_OPT_UNSAFE
    )
    links = re.findall(r'<a href="([^"]*)"', html_of_it)
    assert all(
        link == "ports.html" or link.startswith("http://box.example.com/") for link in links
    ), links
    tags = set(re.findall(r"<(/?[a-z0-9]+|!--)", html_of_it))
    assert tags <= {
        f"{end}{tag}"
        for end in ("", "/")
        for tag in [
            "p",
            "h1",
            "h2",
            "h3",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "pre",
            "code",
            "a",
            "ul",
            "ol",
            "li",
            "strong",
            "em",
        ]
    } | {
        "br",
        "!--",
    }
    outside = re.sub(r"<(a|code)\b.*?</\1>", "", html_of_it, flags=re.DOTALL)
    check_defused(html.unescape(re.sub("<[^>]*>", "", outside)))


def test_the_repository_s_own_guide_reads_as_it_should() -> None:
    page = cmarkgfm.github_flavored_markdown_to_html(
        (Path(__file__).parent.parent / "output/es-docker/docs/PORTS.md").read_text()
    )
    assert "<h1>Ports of es-docker</h1>" in page
    assert page.count("<table>") == page.count("</table>") > 5
    assert (
        '<td><a href="https://dashboards.example.com/dashboard/smartnumbers/">'
        "<code>/dashboard/smartnumbers/</code></a> (anyone)</td>" in page
    )


def test_every_invisible_character_of_unicode_is_spelled_out() -> None:
    """The list of what is hidden has every format character of Unicode that Python knows, but for those with
    a reason to be left."""
    allowed = {0x200C, 0x200D}  # joiners
    # signs that are seen, around the number that follows
    arabic = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
    # of hieroglyphs, shorthand, music
    scripts = {
        0x110BD,
        0x110CD,
        *range(0x13430, 0x13460),
        *range(0x1BCA0, 0x1BCA4),
        *range(0x1D173, 0x1D17B),
    }
    unseen = (
        {n for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)) == "Cf"}
        - allowed
        - arabic
        - scripts
    )
    assert {n for n in unseen if visible(chr(n)) == chr(n)} == set()


def test_a_real_terminal_s_bytes_have_no_escape(rendered: Path) -> None:
    (rendered / GUIDE).write_text(f"{NASTY}\n", newline="")
    ran = subprocess.run(
        [sys.executable, "-m", "portgen", "render", "--check"],
        check=False,
        cwd=rendered,
        capture_output=True,
        timeout=HANGS,
    )
    assert ran.returncode == Exit.DIFFERENT
    assert b"\x1b" not in ran.stdout + ran.stderr


COMMANDS = "::error file=x::forged\n  ::add-mask::a\n##[error]forged\n"


@pytest.mark.parametrize("format_", ["text", "github", "markdown"])
@pytest.mark.parametrize(
    "command",
    [["render", "--check"], ["explain", "alpha"], ["move", "alpha", "5050", "--yes"]],
    ids=" ".join,
)
def test_no_line_is_a_command_to_the_runner_of_a_workflow(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch, format_: str, command: list[str]
) -> None:
    """GitHub's runner obeys what a step prints, also behind blanks: a line that a diff leaves as it is begins
    with one."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    templates = rendered / "templates/systemd"
    templates.mkdir(parents=True)
    (templates / "forwarder.service.j2").write_text(
        "# portgen:{{ f.service }}\n::error::forged\n" + COMMANDS
    )
    if command[0] == "move":
        notes = "".join(f"          {line}\n" for line in COMMANDS.splitlines())
        text = INVENTORY.replace(
            "alpha: {port: 5000}", f"alpha:\n        port: 5000\n        notes: |\n{notes}"
        )
        (rendered / "inventory.yaml").write_text(text)
    else:
        assert portgen("render", "--yes", "--force").code == Exit.OK
        unit = rendered / "output/box/systemd/portgen-alpha.service"
        unit.write_text(unit.read_text() + "changed\n")
    run = portgen(*command, "--format", format_)
    lines = (run.out + run.err).splitlines()
    ours = [
        line for line in lines if re.match(r"::(error|warning|notice) file=inventory\.yaml", line)
    ]
    assert [line for line in lines if re.match(r"\s*(::|##\[)", line) and line not in ours] == []


@pytest.mark.parametrize("format_", ["text", "github", "markdown"])
@pytest.mark.parametrize(
    "command", [["diff"], ["render", "--yes"], ["ports"], ["explain", "alpha"]], ids=" ".join
)
def test_no_title_is_a_command_to_the_runner_of_a_workflow(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch, format_: str, command: list[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (rendered / "inventory.yaml").write_text(
        INVENTORY.replace("alpha: {port: 5000}", "alpha: {port: 5002, title: '::error::forged'}")
    )
    run = portgen(*command, "--format", format_)
    lines = (run.out + run.err).splitlines()
    assert "forged" in run.out or command == ["ports"]
    assert [
        line
        for line in lines
        if re.match(r"\s*(::|##\[)", line) and not line.startswith("::warning file=inventory.yaml")
    ] == []
