"""The workflow that docs/review.md offers: its steps, run as GitHub runs them, with a `gh` that only
remembers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.estates import AFTER, BEFORE, MOVED

DOCS = Path(__file__).parent.parent.parent / "docs"
WORKFLOW: dict[Any, Any] = yaml.safe_load((DOCS / "portgen-review.yml").read_text())
STEPS = {step["name"]: step for step in WORKFLOW["jobs"]["review"]["steps"] if "name" in step}

# Answers as `gh api` does: --jq picks the id of the first comment of ours, whose body begins with the mark.
GH = """\
#!{python}
import json, sys
from pathlib import Path
store = Path({store!r})
comments = json.loads(store.read_text()) if store.exists() else []
arguments = sys.argv[1:]
assert arguments[0] == "api", arguments
method = arguments[arguments.index("--method") + 1] if "--method" in arguments else "GET"
url = next(a for a in arguments[1:] if a.startswith("repos/"))
if method == "GET":
    assert url == "repos/o/r/issues/7/comments" and "--paginate" in arguments
    assert "--jq" in arguments and "<!-- portgen-review -->" in arguments[arguments.index("--jq") + 1]
    for comment in comments:
        if comment["body"].startswith("<!-- portgen-review -->"):
            print(comment["id"])
else:
    field = arguments[arguments.index("--field") + 1]
    body = Path(field.removeprefix("body=@")).read_text()
    if method == "POST":
        comments.append({{"id": 100 + len(comments), "body": body}})
    else:
        next(c for c in comments if url.endswith("comments/%d" % c["id"]))["body"] = body
    store.write_text(json.dumps(comments))
"""


class Job:
    """The workflow's job in a checkout of the merge that GitHub tries out."""

    def __init__(self, folder: Path, git: Callable[..., str]) -> None:
        self.folder, self.git = folder, git
        self.summary, self.variables = folder / "summary.md", folder / "variables"
        self.comments = folder / "comments.json"
        tools = folder / "tools"
        tools.mkdir()
        (tools / "gh").write_text(GH.format(python=sys.executable, store=str(self.comments)))
        (tools / "gh").chmod(0o755)
        (folder / "temp").mkdir()
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        git("init", "-q", "-b", "main", cwd=self.checkout)
        self.commit(BEFORE)
        git("checkout", "-q", "-b", "change", cwd=self.checkout)
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FOLDER": ".",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_ENV": str(self.variables),
            "GITHUB_WORKSPACE": str(self.checkout),
            "RUNNER_TEMP": str(folder / "temp"),
            "GITHUB_REPOSITORY": "o/r",
            "NUMBER": "7",
            "RUN": "https://github.com/o/r/actions/runs/1",
            "GH_TOKEN": "",
        }

    def commit(self, text: str) -> None:
        (self.checkout / "inventory.yaml").write_text(text)
        self.git("add", "-A", cwd=self.checkout)
        self.git("commit", "-qm", "x", "--allow-empty", cwd=self.checkout)

    def push(self, text: str) -> None:
        """A new commit on the branch; and GitHub's merge of it into main."""
        self.git("checkout", "-q", "change", cwd=self.checkout)
        self.commit(text)
        self.git("checkout", "-q", "--detach", "main", cwd=self.checkout)
        self.git("merge", "-q", "--no-ff", "-m", "merge", "change", cwd=self.checkout)

    def step(self, name: str) -> subprocess.CompletedProcess[str]:
        return self.run(STEPS[name]["run"])

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        if self.variables.exists():
            self.environment.update(
                line.split("=", 1) for line in self.variables.read_text().splitlines()
            )
        command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
        return subprocess.run(
            command,
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def review(self) -> subprocess.CompletedProcess[str]:
        ran = self.step("What the change means")
        if ran.returncode == 0:
            posted = self.step("One comment, kept up to date")
            assert posted.returncode == 0, posted.stderr
        return ran

    @property
    def posted(self) -> list[str]:
        return (
            [comment["body"] for comment in json.loads(self.comments.read_text())]
            if self.comments.exists()
            else []
        )


@pytest.fixture
def job(tmp_path: Path, git: Callable[..., str]) -> Job:
    return Job(tmp_path, git)


def test_the_first_push_posts_the_review_and_the_next_one_renews_it(job: Job) -> None:
    job.push(AFTER)
    ran = job.review()
    assert ran.returncode == 0, ran.stderr
    assert MOVED in ran.stdout
    [first] = job.posted
    assert first.startswith("<!-- portgen-review -->\n### portgen: 1 service moves\n")
    assert job.summary.read_text().startswith("### portgen: 1 service moves\n")
    job.push(AFTER.replace("allow: [lan]", "allow: [any]"))
    assert "::warning file=inventory.yaml,line=8," in job.review().stdout
    [second] = job.posted
    assert "| box | **Figures** | 5021/tcp | any |" in second
    job.push(BEFORE)
    job.review()
    assert [body.splitlines()[1] for body in job.posted] == [
        "### portgen: nothing changes on any host"
    ]


def test_a_pull_request_that_changes_no_port_gets_no_comment(job: Job) -> None:
    job.push(BEFORE + "# a remark\n")
    assert job.review().returncode == 0
    assert job.posted == []


def test_an_inventory_that_cannot_be_loaded_fails_the_job_and_posts_nothing(job: Job) -> None:
    job.push("not: [an inventory")
    assert job.review().returncode == 3
    assert job.posted == []
    assert job.step("Findings, at their lines").returncode == 3


def test_a_long_review_is_cut_for_the_comment_only(job: Job) -> None:
    many = "".join(
        f"      wall-{number}: {{title: 'A wall screen with quite a long title, {number}', "
        f"port: {5100 + number}, allow: [any]}}\n"
        for number in range(800)
    )
    job.push(BEFORE.replace("5000-5099", "5000-5999") + many)
    assert job.review().returncode == 0
    [body] = job.posted
    assert len(body) < 65536
    assert body.endswith(
        "Cut here; [the job](https://github.com/o/r/actions/runs/1) has all of it.\n"
    )
    assert len(job.summary.read_text()) > 65536


def test_a_fork_gets_the_summary_only_and_nothing_runs_with_its_secrets() -> None:
    assert (
        "github.event.pull_request.head.repo.full_name == github.repository"
        in STEPS["One comment, kept up to date"]["if"]
    )
    assert "GITHUB_STEP_SUMMARY" in STEPS["What the change means"]["run"]
    assert WORKFLOW[True] == "pull_request"  # YAML 1.1 reads `on` as true
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}


def test_the_steps_take_no_value_of_the_pull_request_into_their_scripts() -> None:
    for step in WORKFLOW["jobs"]["review"]["steps"]:
        assert "${{" not in step.get("run", ""), step


def test_nothing_that_the_pull_request_brings_runs_or_is_written_through(
    job: Job, tmp_path: Path
) -> None:
    """Modules that Python would find in the folder it is started in, templates, and links where the steps
    write."""
    canary, victim = tmp_path / "canary", tmp_path / "victim"
    victim.write_text("as it was")
    for name in ("pip", "portgen"):
        (job.checkout / name).mkdir()
        (job.checkout / name / "__init__.py").touch()
        (job.checkout / name / "__main__.py").write_text(f"open({str(canary)!r}, 'w')\n")
    for name in ("click.py", "jinja2.py", "sitecustomize.py"):
        (job.checkout / name).write_text(f"open({str(canary)!r}, 'w')\n")
    (job.checkout / "templates/systemd").mkdir(parents=True)
    (job.checkout / "templates/systemd/forwarder.service.j2").write_text(
        "{{ cycler.__init__.__globals__.os.mkdir('ran') }}"
    )
    for name in ("review.md", "comment.md"):
        (job.checkout / name).symlink_to(victim)
    job.push(AFTER)
    steps = WORKFLOW["jobs"]["review"]["steps"]
    checkout = next(
        number
        for number, step in enumerate(steps)
        if step.get("uses", "").startswith("actions/checkout")
    )
    for script in [step["run"] for step in steps[checkout + 1 :] if "run" in step]:
        ran = job.run(script)
        assert ran.returncode == 0, ran.stderr
    assert not canary.exists()
    assert not (job.checkout / "ran").exists()
    assert victim.read_text() == "as it was"
    assert MOVED.split(" moves")[0] in job.posted[0]


def test_the_document_names_what_the_workflow_has() -> None:
    text = (DOCS / "review.md").read_text()
    for word in ("PORTGEN", "FOLDER", "portgen-review.yml", "fetch-depth: 0"):
        assert word in text
    assert set(WORKFLOW["env"]) == {"PORTGEN", "FOLDER"}
