"""The firewall of a host that is not there: the script of a tree, ufw's files, the kernel's chains.

In: the script's path. Out: its exit code, and what it says. What it decides is decided by its own code,
`templates/ufw/apply.py`; each call of ufw or iptables that it makes is a step here.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from portgen.machine.programs import Finished
from tests.audit import answers_ufw
from tests.estates import REPOSITORY

if TYPE_CHECKING:
    from tests.install.simulated import SimulatedHost

FOLDER = "/etc/ufw"
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
USER = {4: f"{FOLDER}/user.rules", 6: f"{FOLDER}/user6.rules"}
CHAIN = "PORTGEN-GUARD"
_MARK = "### RULES ###\n"


def _loaded() -> ModuleType:
    """The script's main part, apart from the copy that other tests have."""
    place = REPOSITORY / "templates/ufw/apply.py"
    spec = importlib.util.spec_from_file_location("simulated_apply", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulated_apply"] = module
    spec.loader.exec_module(module)
    return module


apply: Any = _loaded()


class Path:
    """A path on the host that is not there, as far as the script asks for it."""

    host: SimulatedHost

    def __init__(self, path: object) -> None:
        self.path = str(path)

    def __truediv__(self, name: str) -> Path:
        return Path(f"{self.path}/{name}")

    def __str__(self) -> str:
        return self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> Path:
        return Path(self.path.rpartition("/")[0])

    def exists(self) -> bool:
        return self.path in self.host.files or self.path == "/proc/sys/net/ipv6"

    def read_text(self, encoding: str = "") -> str:
        text = self.host.text(self.path)
        if text is None:
            raise FileNotFoundError(2, "No such file", self.path)
        return text


def _read(path: Path) -> str:
    return Path.host.text(str(path)) or ""


def _access(path: Path, _mode: int) -> bool:
    file = Path.host.files.get(str(path))
    return file is not None and bool(file.mode & 0o100)


def _put(path: Path, text: str, executable: bool | None = None) -> None:
    Path.host.firewall.write(str(path), text, executable)


def _kernel(family: int) -> Any:
    return Path.host.firewall.kernel(family)


def _load(family: int, guard: Any) -> None:
    Path.host.firewall.load(family, guard.rules)


def _unload(family: int) -> None:
    Path.host.firewall.unload(family)


def _call(command: str) -> bool:
    return Path.host.firewall.ufw(command)


def _say(text: str) -> None:
    Path.host.firewall.said.append(f"portgen-ufw.sh: {text}")


def _containers(family: int) -> list[Any]:
    return [apply.container_of(one, family) for one in Path.host.docker.inspected()]


def _nothing(*_: object) -> None:
    """What the script looks at, and is always well here."""


apply.Path = Path
apply.ETC = Path(FOLDER)
apply.RULES_FILES = {4: Path(f"{FOLDER}/after.rules"), 6: Path(f"{FOLDER}/after6.rules")}
apply.INIT_FILE = Path(f"{FOLDER}/after.init")
apply.DEFAULTS = Path("/etc/default/ufw")
apply.KERNEL_IPV6 = Path("/proc/sys/net/ipv6")
apply.os = SimpleNamespace(access=_access, X_OK=1, geteuid=lambda: 0)
apply.read, apply.put, apply.kernel, apply.load, apply.unload = _read, _put, _kernel, _load, _unload
apply.call, apply.say, apply.containers = _call, _say, _containers
apply.need_room = apply.reload_user_rules = _nothing


class Firewall:
    """ufw and the kernel. `chain`: the guard's rules by family, in both tables; `jumps`: the tables whose
    jump to it is there."""

    def __init__(self, host: SimulatedHost) -> None:
        self.host = host
        self.said: list[str] = []
        self.chain: dict[int, list[str] | None] = {4: None, 6: None}
        self.jumps: dict[int, set[str]] = {4: set(), 6: set()}

    def place(self) -> None:
        """Put ufw's own files there, with a rule for ssh."""
        for name in (*answers_ufw.OWN, "after.init", "before.init", "ufw.conf"):
            self.host.write(f"{FOLDER}/{name}", answers_ufw.data(name), 0o640)
        self.host.write("/etc/default/ufw", answers_ufw.data("default-ufw"))
        self.ufw("ufw allow proto tcp from any to any port 22 comment 'ssh'")

    # --- the script ---

    def run(self, path: str, kept: frozenset[str] = frozenset()) -> Finished:
        self.host.step(f"sh {path}")
        script = self.host.text(path)
        if script is None:
            return Finished(127, "", f"sh: 0: cannot open {path}: No such file\n")
        rules, holders = (
            re.search(rf'(?ms)^{name} = """\n(.*?)^"""', script)[1]  # type: ignore[index]
            for name in ("RULES", "HOLDERS")
        )
        guarded = re.search(r"(?m)^GUARDED = \((.*)\)$", script)
        assert guarded is not None, path
        families = tuple(int(word) for word in guarded[1].split(",") if word.strip())
        self.said = []
        Path.host = self.host
        here = Path(path.rpartition("/")[0])
        try:
            plan = apply.planned(here, rules, holders, families, False, kept)
            code = apply.carry_out(plan, False)
        except apply.Failure as failure:
            self.said.append(str(failure))
            code = 1
        return Finished(code, "", "".join(f"{line}\n" for line in self.said))

    def kernel(self, family: int) -> Any:
        """As `iptables -S` prints it."""
        chain, jumps = self.chain[family], self.jumps[family]
        own = [] if chain is None else [f"-N {CHAIN}"]
        found = ["-N DOCKER-USER", *own]
        if "filter" in jumps:
            found.append(f"-A DOCKER-USER -j {CHAIN}")
        found.append("-A DOCKER-USER -j RETURN")
        mangle = [*own]
        if "mangle" in jumps:
            mangle.append(f"-A FORWARD -j {CHAIN}")
        return apply.Kernel(family, [*found, *(chain or ())], [*mangle, *(chain or ())])

    def load(self, family: int, rules: list[str]) -> None:
        self.host.step(f"load the guard of IPv{family}", lambda: self.chain.update({family: rules}))
        for table in ("mangle", "filter"):
            if table not in self.jumps[family]:
                label = f"jump to the guard of IPv{family} in {table}"
                self.host.step(label, lambda table=table: self.jumps[family].add(table))  # type: ignore[misc]

    def unload(self, family: int) -> None:
        for table in sorted(self.jumps[family]):
            label = f"remove the jump to the guard of IPv{family} in {table}"
            self.host.step(label, lambda table=table: self.jumps[family].discard(table))  # type: ignore[misc]
        self.host.step(
            f"remove the guard of IPv{family}", lambda: self.chain.update({family: None})
        )

    def write(self, path: str, text: str, executable: bool | None) -> None:
        mode = self.host.files[path].mode
        if executable is not None:
            mode = mode | 0o100 if executable else mode & ~0o111
        self.host.step(f"ufw's {path}", lambda: self.host.write(path, text, mode))

    # --- ufw ---

    def rules(self, family: int) -> list[Any]:
        """ufw's rules, in their order."""
        return list(apply.rules_in(self.host.text(USER[family]) or "", family))

    def ufw(self, command: str) -> bool:
        """One call of ufw. Whether it did it."""
        try:
            self.host.step(command, lambda: self._change(shlex.split(command)[1:]))
        except Exception as trouble:
            if type(trouble).__name__ == "TroubleError":
                return False
            raise
        return True

    def _change(self, words: list[str]) -> None:
        deletes = words[0] == "delete"
        if deletes:
            words = words[1:]
        action, words = words[0], words[1:]
        way = "in"
        if words[:2] == ["in", "on"]:
            way, words = f"in_{words[2]}", words[3:]
        said = dict(zip(words[::2], words[1::2], strict=True))
        assert said.keys() == {"proto", "from", "to", "port", "comment"}, words
        ends = (said["from"], said["to"])
        families: tuple[int, ...] = (4, 6)
        for end in ends:
            if end != "any":
                families = (6,) if ":" in end else (4,)
        for family in families:
            self._change_family(family, deletes, action, way, said)

    def _change_family(
        self, family: int, deletes: bool, action: str, way: str, said: dict[str, str]
    ) -> None:
        source, to = (
            EVERYWHERE[family] if end == "any" else end for end in (said["from"], said["to"])
        )
        identity = f"{said['proto']} {said['port']} {to} any {source} {way}"
        chain = "ufw6-user-input" if family == 6 else "ufw-user-input"
        text = self.host.text(USER[family]) or ""
        blocks = re.findall(r"(?m)^### tuple ### .*\n-A .*\n\n", text)
        kept = [one for one in blocks if f"### tuple ### {action} {identity} comment" not in one]
        if not deletes:
            comment = said["comment"].encode().hex()
            line = _iptables(chain, said, source, to, way, family)
            new = f"### tuple ### {action} {identity} comment={comment}\n{line}\n\n"
            kept = []
            for one in blocks:
                same = f" {identity} comment" in one
                kept.append(new if same else one)
            if new not in kept:
                kept.append(new)
        for one in blocks:
            text = text.replace(one, "", 1)
        if _MARK + "\n" not in text:
            text = text.replace(_MARK, f"{_MARK}\n", 1)
        text = text.replace(f"{_MARK}\n", f"{_MARK}\n{''.join(kept)}", 1)
        self.host.write(USER[family], text, 0o640)

    # --- boot, and what is compared ---

    def boot(self) -> None:
        """ufw starts with its files as they are."""
        init = self.host.files[f"{FOLDER}/after.init"]
        runs = bool(init.mode & 0o100) and CHAIN in init.data.decode()
        for family, name in ((4, "after.rules"), (6, "after6.rules")):
            text = self.host.text(f"{FOLDER}/{name}") or ""
            rules = [
                line
                for line in apply.first_table(text.partition(f"# BEGIN {CHAIN}")[2]).split("\n")
                if line.startswith(f"-A {CHAIN} ")
            ]
            self.chain[family] = rules or None
            self.jumps[family] = {"filter", "mangle"} if rules and runs else set()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for family in (4, 6):
            rules = [rule._replace(place=0) for rule in self.rules(family)]
            assert len(rules) == len(set(rules)), "ufw has a rule twice"
            found[f"ufw's rules of IPv{family}"] = frozenset(rules)
            found[f"the guard of IPv{family}"] = (self.chain[family], self.jumps[family])
        return found


def _iptables(chain: str, said: dict[str, str], source: str, to: str, way: str, family: int) -> str:
    words = [f"-A {chain}"]
    if way != "in":
        words.append(f"-i {way.removeprefix('in_')}")
    words.append(f"-p {said['proto']}")
    if to != EVERYWHERE[family]:
        words.append(f"-d {to}")
    ports = f"-m multiport --dports {said['port']}"
    words.append(ports if ":" in said["port"] else f"--dport {said['port']}")
    if source != EVERYWHERE[family]:
        words.append(f"-s {source}")
    return " ".join((*words, "-j ACCEPT"))
