"""The file system of an image, built by hand from the Dockerfile, and its program started in it without an engine.

COPY copies; RUN is understood where it installs packages, makes folders or gives them away. Packages are those of this
environment, and only those that the line installs with all that they require. The system below (`/usr`, the
interpreter) is this machine's. The program is process 1 of namespaces of its own, as the image's user, without
capabilities, with a read-only file system, a network that has only loopback, and a limit of memory by the kernel.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath

import psutil
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from data.paths import ROOT
from tests.support.dockerfile import stages

SITE_PACKAGES = Path(sysconfig.get_path("purelib")).resolve()
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_CGROUPS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
"""Of version 1 and of version 2."""
_NETWORK = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


# --- what it consists of ----------------------------------------------------------------------------------------------


@dataclass
class Image:
    """An image while it is built, and then.

    Attributes:
      root: its files.
      packages: the folder of its Python packages.
      environment, workdir, user, entrypoint, command, health: as its instructions say; health is empty without one.
    """

    root: Path
    packages: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def inside(self, path: str) -> Path:
        """Where a path of the image lies here."""
        return self.root / str(PurePosixPath(self.workdir) / path).lstrip("/")


def build(stage: str, folder: Path, model: Path) -> Image:
    """Builds the image of a stage.

    Args:
      folder: for its files; made.
      model: what the stage `model` has in its folder `artifacts`.
    """
    image = Image(folder / "root", folder / "packages")
    image.root.mkdir(parents=True)
    image.packages.mkdir()
    for keyword, rest in _lines(stage):
        if keyword == "COPY":
            _copy(image, rest, model)
        elif keyword == "RUN":
            _run(image, rest)
        elif keyword == "ENV":
            image.environment |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif keyword == "WORKDIR":
            image.workdir = rest
            image.inside(".").mkdir(parents=True, exist_ok=True)
        elif keyword == "USER":
            image.user = rest
        elif keyword == "ENTRYPOINT":
            image.entrypoint, image.command = json.loads(rest), []
        elif keyword == "CMD":
            image.command = json.loads(rest)
        elif keyword == "HEALTHCHECK":
            image.health = json.loads(rest.split("CMD ", 1)[1])
        else:
            assert keyword in ("FROM", "EXPOSE"), f"{keyword} is not understood here"
    return image


def _lines(stage: str) -> list[tuple[str, str]]:
    """The instructions of a stage and of the stages below it."""
    (base,) = [rest.split(" AS ")[0] for keyword, rest in stages()[stage] if keyword == "FROM"]
    return [*(_lines(base) if base in stages() else []), *stages()[stage]]


def _copy(image: Image, rest: str, model: Path) -> None:
    words = rest.split()
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    *sources, target = [word for word in words if not word.startswith("--")]
    for source in sources:
        path = _source(source, options.get("from"), model)
        into = image.inside(target)
        if path.is_dir():
            shutil.copytree(path, into, ignore=_ignored, dirs_exist_ok=True)
        else:
            into = into / path.name if target.endswith("/") else into
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, into)
        _set_mode(into, options.get("chmod", ""))


def _source(source: str, stage: str | None, model: Path) -> Path:
    """Where something that is copied lies here; the stage `init` has programs of Debian's packages."""
    if stage is None:
        return ROOT / source
    if stage == "model":
        return model / PurePosixPath(source).relative_to("/app/artifacts")
    assert stage == "init", f"COPY --from={stage} is not understood here"
    return Path(source)


def _ignored(folder: str, names: list[str]) -> set[str]:
    """What .dockerignore leaves out of the folders that it lets in."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    unwanted = {ROOT / line for line in lines if line and line[0] not in "#!*"}
    return {name for name in names if name == "__pycache__" or Path(folder) / name in unwanted}


def _set_mode(path: Path, mode: str) -> None:
    if mode == "a+rX":
        for one in (path, *path.rglob("*")):
            one.chmod(one.stat().st_mode | (0o555 if one.is_dir() else 0o444))
    elif mode:
        path.chmod(int(mode, 8))


def _run(image: Image, rest: str) -> None:
    """Understands the commands of the Dockerfile; the pins of this environment are those of requirements.txt."""
    for command in rest.split("&&"):
        words = shlex.split(command)
        if words[:3] == ["uv", "pip", "install"]:
            names = words[words.index("pins.txt") + 1 :] if "pins.txt" in words else []
            _link_packages(image.packages, names)
        elif words[0] == "mkdir":
            for path in words[1:]:
                if path != "-p":
                    image.inside(path).mkdir(parents="-p" in words, exist_ok="-p" in words)
        elif words[0] == "chown":
            owner, *paths = words[1:]
            for path in paths:
                os.chown(image.inside(path), *map(int, owner.split(":")))
        else:
            known = words[0] in ("sed", "rm") or words[:2] == ["pip", "install"]
            assert known, f"RUN {command}: is not understood here"


def distributions(*names: str) -> set[str]:
    """What pip installs for the named packages: they and all that they require."""
    installed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in installed:
            continue
        installed.add(name)
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return installed


@cache
def _owners() -> dict[str, set[str]]:
    """The distributions that have something in each folder or file at the top of this environment."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in metadata.distributions(path=[str(SITE_PACKAGES)]):
        for top in {file.parts[0] for file in one.files or ()}:
            found[top].add(canonicalize_name(one.metadata["Name"]))
    return found


def _link_packages(folder: Path, names: Sequence[str]) -> None:
    """Links what the named packages consist of; without names, everything."""
    wanted = distributions(*names) if names else set().union(*_owners().values())
    for top, owners in _owners().items():
        if top == ".." or top == "__pycache__" or not owners & wanted:
            continue
        if owners <= wanted:
            (folder / top).symlink_to(SITE_PACKAGES / top)
            continue
        for name in owners & wanted:  # a namespace that others are in, too
            for file in metadata.distribution(name).files or ():
                if file.parts[0] == top and not (folder / file).exists():
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    (folder / file).symlink_to(SITE_PACKAGES / file)


# --- what runs in it --------------------------------------------------------------------------------------------------

_START = r"""
set -euo pipefail
root="$1" packages="$2" prefix="$3" site="$4" cgroup="$5" volumes="$6" user="$7" python="$8"
shift 8
if [[ -n "$cgroup" ]]; then echo 0 >"$cgroup/cgroup.procs"; fi
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root$prefix" "$root$site"  # the checkout may lie in /tmp
mount --rbind /usr "$root/usr"
mount --rbind "$prefix" "$root/usr/local"
mount --bind "$root.bin" "$root/usr/local/bin"
mount --bind "$packages" "$root/usr/local/lib/$python/site-packages"
mount --bind "$prefix" "$root$prefix"
mount --bind "$site" "$root$site"
for part in usr usr/local usr/local/bin "usr/local/lib/$python/site-packages" "${prefix#/}" "${site#/}"; do
  mount -o remount,bind,ro "$root/$part"
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while IFS=: read -r from to; do
  if [[ -n "$from" ]]; then mount --bind "$from" "$root$to"; fi
done <<<"$volumes"
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs \
  --inh-caps=-all --bounding-set=-all /usr/bin/env --ignore-environment "$@"
"""
_LOOPBACK = """
import fcntl, socket, struct
with socket.socket() as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sH14s", b"lo", 1, b""))  # SIOCSIFFLAGS, IFF_UP
"""


def why_not() -> str:
    """Why images cannot be started here; empty if they can."""
    if os.geteuid() != 0:
        return "needs root, for namespaces and another user"
    done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"namespaces are not to be had: {done.stderr.decode().strip()}"


class Container:
    """The program of an image while it runs; use it as a context manager.

    Args:
      image: as `build` made it.
      log: takes what the program says.
      command: in place of the image's CMD.
      volumes: folders here, by their paths in the image.
      megabytes: the limit of memory; None without one.
    """

    def __init__(
        self,
        image: Image,
        log: Path,
        command: Sequence[str] | None = None,
        volumes: Mapping[str, Path] | None = None,
        megabytes: int | None = None,
    ):
        self.image, self.log = image, log
        volumes = volumes or {}
        _lay_out(image, volumes)
        self.limit = Limit(megabytes) if megabytes is not None else None
        words = [*image.entrypoint, *(image.command if command is None else command)]
        arguments = [
            image.root,
            image.packages,
            sys.base_prefix,
            SITE_PACKAGES,
            self.limit.folder if self.limit and self.limit.folder else "",
            "\n".join(f"{here}:{there}" for there, here in volumes.items()),
            image.user,
            PYTHON,
            *self._environment(),
            *words,
        ]
        namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*namespaces, "bash", "-c", _START, "bash", *map(str, arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._child()
        subprocess.run([*self._enter("--net"), sys.executable, "-c", _LOOPBACK], check=False)

    def _environment(self) -> list[str]:
        """As engines set it: the home of a user whom /etc/passwd does not know is the root of the file system."""
        path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
        own = [f"{name}={value}" for name, value in self.image.environment.items()]
        return [f"--chdir={self.image.workdir}", path, "HOME=/", *own]

    def _child(self) -> int:
        """The process as this machine numbers it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            children = psutil.Process(self._process.pid).children()
            if children:
                return children[0].pid
            time.sleep(0.005)
        raise AssertionError(f"it did not start:\n{self.log.read_text()}")

    def _enter(self, *namespaces: str) -> list[str]:
        return ["nsenter", f"--target={self.pid}", *namespaces]

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs a command in it, as its user and with its environment, as `docker exec` and health checks do."""
        user, group = self.image.user.split(":")
        enter = self._enter("--mount", "--net", "--pid", "--root", f"--setuid={user}", f"--setgid={group}")
        return subprocess.run(
            [*enter, "/usr/bin/env", "--ignore-environment", *self._environment(), *command],
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def connection(self, port: int) -> Iterator[http.client.HTTPConnection]:
        """A connection to a port of it, over its own network."""
        with open("/proc/self/ns/net") as own, open(f"/proc/{self.pid}/ns/net") as its:
            _enter_network(its.fileno())
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.connect()
            finally:
                _enter_network(own.fileno())
        try:
            yield connection
        finally:
            connection.close()

    def get(self, port: int, path: str) -> tuple[int, str]:
        with self.connection(port) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def wait_until_healthy(self, health: Sequence[str], seconds: float = 180.0) -> None:
        """Waits until a health check ends with 0."""
        deadline = time.monotonic() + seconds
        while (last := self.run(health)).returncode:
            ended = self._process.poll()
            assert ended is None, f"it ended with {ended}:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"{last.stderr}\n{self.log.read_text()}"
            time.sleep(0.1)

    def status(self, name: str) -> str:
        """A line of what the kernel says of the process, such as `Uid`."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds: float = 180.0) -> int:
        """Its exit code."""
        return self._process.wait(seconds)

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # and the program with it
        self._process.wait(10)
        if self.limit:
            self.limit.remove()


def _enter_network(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


def _lay_out(image: Image, volumes: Mapping[str, Path]) -> None:
    """Makes what a base image brings: mount points, the interpreter, a few files of /etc."""
    binaries = image.root.with_name("root.bin")
    if not binaries.exists():
        copied = image.root / "usr" / "local" / "bin"
        shutil.copytree(copied, binaries) if copied.exists() else binaries.mkdir()
        shutil.copy(Path(sys.base_prefix) / "bin" / PYTHON, binaries / PYTHON)
        (binaries / "python").symlink_to(PYTHON)
    for path in ("usr", "dev", "proc", "tmp", "etc", *volumes, sys.base_prefix, str(SITE_PACKAGES)):
        (image.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink() and not (image.root / name).is_symlink():
            (image.root / name).symlink_to(Path("/", name).readlink())
    shutil.copy("/etc/ld.so.cache", image.root / "etc")
    (image.root / "etc" / "hosts").write_text("127.0.0.1 localhost serving\n")


class Limit:
    """A limit of memory by a control group; of none where the kernel has none to give.

    Args:
      megabytes: that may be used.
    """

    def __init__(self, megabytes: int):
        self.folder: Path | None = None
        for groups in _CGROUPS:
            folder = groups / f"image-{os.getpid()}-{time.monotonic_ns()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            limits = [folder / name for name in ("memory.limit_in_bytes", "memory.max") if (folder / name).exists()]
            if limits:
                limits[0].write_text(str(megabytes * 2**20))
                self.folder = folder
                return
            folder.rmdir()

    @property
    def peak_megabytes(self) -> float | None:
        """The most that was used; None where the kernel does not say."""
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            if self.folder and (self.folder / name).exists():
                return int((self.folder / name).read_text()) / 2**20
        return None

    def remove(self) -> None:
        if self.folder:
            deadline = time.monotonic() + 10
            while self.folder.exists():
                try:
                    self.folder.rmdir()
                except OSError:  # the last process is still going
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
