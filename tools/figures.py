"""Prints how dense the code is, and fails where it is too dense.

    python tools/figures.py [FILE|FOLDER ...]        default: portgen/ and the Python in templates/

Fails (exit code 1) on a function with a complexity over 15, a line over 110 columns, and a module of
portgen/ over 500 lines. A function's complexity is 1 and one more for each branch: if, loop, except,
case, assert, ternary, comprehension, `and`/`or`.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT = ("portgen", "templates")

WIDE = 100  # columns: few lines should be wider
WIDEST = 110  # columns: no line may be wider
COMPLEX = 12  # functions above this are listed
MOST_COMPLEX = 15  # and above this they fail
LONGEST = 500  # lines of a module of portgen/

BRANCHES = (
    ast.If,
    ast.For,
    ast.While,
    ast.ExceptHandler,
    ast.match_case,
    ast.Assert,
    ast.IfExp,
    ast.comprehension,
)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Function(NamedTuple):
    """A function and how many ways lead through it."""

    name: str
    line: int
    complexity: int


class Figures(NamedTuple):
    """What was counted in one file."""

    path: Path
    lines: int
    comments: int
    statements: int
    ternaries: int
    comprehensions: int
    wide: int
    widest: tuple[int, ...]  # the numbers of the lines over 110 columns
    functions: tuple[Function, ...]


def main() -> int:
    """Print the figures. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE|FOLDER")
    paths = parser.parse_args().paths or [REPOSITORY / name for name in DEFAULT]
    every = [figures(path) for path in python_files(paths)]
    if not every:
        print("no Python files there", file=sys.stderr)
        return 2
    for line in summary(every):
        print(line)
    found = list(faults(every))
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


def python_files(paths: list[Path]) -> Iterator[Path]:
    """The Python files that are named, or lie in a named folder, sorted."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.py"))
        else:
            yield path


def figures(path: Path) -> Figures:
    """Count one file."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    statements = ternaries = comprehensions = 0
    functions = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            statements += 1
        elif isinstance(node, ast.IfExp):
            ternaries += 1
        elif isinstance(node, COMPREHENSIONS):
            comprehensions += 1
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(Function(node.name, node.lineno, complexity(node)))
    return Figures(
        path=path,
        lines=len(lines),
        comments=comment_lines(text),
        statements=statements,
        ternaries=ternaries,
        comprehensions=comprehensions,
        wide=sum(len(line) > WIDE for line in lines),
        widest=tuple(number for number, line in enumerate(lines, 1) if len(line) > WIDEST),
        functions=tuple(functions),
    )


def complexity(function: ast.AST) -> int:
    """How many ways lead through a function, including the functions defined in it."""
    count = 1
    for node in ast.walk(function):
        if isinstance(node, BRANCHES):
            count += 1
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
    return count


def comment_lines(text: str) -> int:
    """How many lines have a comment."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def summary(every: list[Figures]) -> Iterator[str]:
    """The figures of all files together, and the complex functions."""
    lines = sum(one.lines for one in every)
    statements = sum(one.statements for one in every)
    per_thousand = 1000 / max(statements, 1)
    percent = 100 / max(lines, 1)
    yield f"files                             {len(every):8,}"
    yield f"lines                             {lines:8,}"
    yield f"statements                        {statements:8,}"
    yield f"ternaries, per 1,000 statements   {sum(one.ternaries for one in every) * per_thousand:8.1f}"
    yield f"comprehensions, the same          {sum(one.comprehensions for one in every) * per_thousand:8.1f}"
    yield f"lines over {WIDE} columns           {sum(one.wide for one in every) * percent:8.1f} %"
    yield f"lines with a comment              {sum(one.comments for one in every) * percent:8.1f} %"
    complicated = [
        (function.complexity, f"{shown(one.path)}:{function.line} {function.name}")
        for one in every
        for function in one.functions
        if function.complexity > COMPLEX
    ]
    yield f"functions over complexity {COMPLEX}      {len(complicated):8,}"
    for count, name in sorted(complicated, reverse=True):
        yield f"    {count}  {name}"


def faults(every: list[Figures]) -> Iterator[str]:
    """What is too complex, too wide or too long, with its place."""
    for one in every:
        name = shown(one.path)
        for function in one.functions:
            if function.complexity > MOST_COMPLEX:
                found = f"complexity of {function.name} is {function.complexity}"
                yield f"{name}:{function.line}: {found}, at most {MOST_COMPLEX}"
        for number in one.widest:
            yield f"{name}:{number}: wider than {WIDEST} columns"
        if one.lines > LONGEST and name.startswith("portgen/"):
            yield f"{name}: {one.lines} lines, at most {LONGEST}"


def shown(path: Path) -> str:
    """A path as people know it: from the top of the repository."""
    if path.is_absolute() and path.is_relative_to(REPOSITORY):
        return str(path.relative_to(REPOSITORY))
    return str(path)


if __name__ == "__main__":
    sys.exit(main())
