"""A Linux without what macOS lacks, as the `sitecustomize` of every Python that is started.

Each process notes its command in the file that IMITATED names, so that a test sees that it did.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import wraps
from importlib import import_module
from pathlib import Path

LACKS = {
    "select": "epoll",  # first, as others look for it when they are imported
    "os": (
        "sched_getaffinity sched_setaffinity sched_getscheduler sched_setscheduler sched_getparam "
        "sched_setparam sched_rr_get_interval pidfd_open memfd_create eventfd eventfd_read "
        "eventfd_write pipe2 posix_fadvise posix_fallocate getrandom copy_file_range splice "
        "getresuid getresgid setresuid setresgid getxattr listxattr setxattr removexattr "
        "O_TMPFILE O_DIRECT O_PATH O_NOATIME O_RSYNC"
    ),
    "fcntl": "F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW F_SETPIPE_SZ F_GETPIPE_SZ F_ADD_SEALS F_NOTIFY",
    "resource": "prlimit",
    "signal": (
        "SIGRTMIN SIGRTMAX SIGPOLL SIGPWR SIGSTKFLT SIGCLD sigwaitinfo sigtimedwait "
        "pidfd_send_signal"
    ),
    "socket": "SOCK_CLOEXEC SOCK_NONBLOCK AF_NETLINK AF_ALG SO_BINDTODEVICE SO_MARK",
    "time": "CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid",
}
FOLDERS = ("/proc", "/sys", "/dev/shm")
LONGEST_SOCKET_PATH = 103
OPEN_FILES = 256  # that a terminal allows
PRIVATE = (
    "cmdline", "connections", "cwd", "environ", "exe", "memory_maps", "net_connections", "num_fds",
    "open_files", "threads",
)  # fmt: skip


def imitate(mark: str) -> None:
    """Be a Python of macOS, as far as that goes."""
    for module, names in LACKS.items():
        for name in names.split():
            vars(import_module(module)).pop(name, None)
    sys.addaudithook(_refuse)
    _hide_folders()
    _limit()
    _imitate_proxies()
    _imitate_psutil(mark)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"open", "os.listdir", "os.scandir"}:
        _refuse_folders(arguments[0])
    if event in {"socket.bind", "socket.connect"} and isinstance(arguments[1], str | bytes):
        path = os.fsencode(arguments[1])
        if len(path) > LONGEST_SOCKET_PATH or path.startswith(b"\0"):
            raise OSError("AF_UNIX path too long")


def _hide_folders() -> None:
    """From `os.stat`, and so from `os.path.exists`."""
    stat = os.stat

    @wraps(stat)
    def look(path, **more):
        _refuse_folders(path)
        return stat(path, **more)

    for kinds in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        kinds.add(look)
    os.stat = look


def _refuse_folders(path: object) -> None:
    path = os.fsdecode(path) if isinstance(path, bytes) else str(path)
    if path.startswith(FOLDERS) and not _is_psutil():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _is_psutil() -> bool:
    """It has other means on macOS."""
    frame = sys._getframe()
    while frame := frame.f_back:
        if frame.f_globals.get("__name__", "").startswith("psutil"):
            return True
    return False


def _limit() -> None:
    """Few open files, and no fork by `multiprocessing`."""
    import resource
    from multiprocessing import context

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
    context._default_context._default_context = context._concrete_contexts["spawn"]


def _imitate_proxies() -> None:
    """The system is asked for them, if the environment names none; a fork may crash that asks."""
    import urllib.request

    started = os.getpid()

    def or_of_the_system(method):
        @wraps(method)
        def look(*arguments):
            if os.getpid() != started and not urllib.request.getproxies_environment():
                os.abort()
            return method(*arguments)

        return look

    for name in ("getproxies", "proxy_bypass"):
        setattr(urllib.request, name, or_of_the_system(getattr(urllib.request, name)))


def _imitate_psutil(mark: str) -> None:
    """Process 0 is the kernel, and others' processes are not to be looked into."""
    import psutil

    platform = psutil._psplatform
    kind, pids = platform.Process, platform.pids
    environ = kind.environ

    def is_ours(process) -> bool:
        try:
            return process.pid != 0 and environ(process).get("IMITATED") == mark
        except psutil.Error:
            return False

    def guarded(method):
        @wraps(method)
        def look(self, *arguments, **more):
            if not is_ours(self):
                raise psutil.AccessDenied(self.pid)
            return method(self, *arguments, **more)

        return look

    def of_the_kernel(method, answer):
        @wraps(method)
        def look(self, *arguments, **more):
            return answer if self.pid == 0 else method(self, *arguments, **more)

        return look

    for name in PRIVATE:
        if hasattr(kind, name):
            setattr(kind, name, guarded(getattr(kind, name)))
    for name, answer in (("create_time", 0.0), ("ppid", 0), ("status", psutil.STATUS_RUNNING)):
        setattr(kind, name, of_the_kernel(getattr(kind, name), answer))

    def no_full_memory(self):
        raise psutil.AccessDenied(self.pid)

    kind.memory_full_info = no_full_memory
    platform.pids = lambda: [0, *pids()]


imitate(os.environ["IMITATED"])
with Path(os.environ["IMITATED"]).open("a", encoding="utf-8") as notes:
    notes.write(" ".join(sys.orig_argv) + "\n")
