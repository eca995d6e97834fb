"""Make the interpreters that tests/emulated asks, and print the variables that name them.

Run: python -m tests.emulated.prepare FOLDER

It needs apt-get, dpkg-deb, pip and, for ARM64, qemu-aarch64. Debian's arm64 packages are unpacked into FOLDER, by
lists of its own: nothing is installed. Where a machine of ARM64 is at hand, no folder is needed: the variable's command
may be anything that starts its Python there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# CPython and all that it, NumPy and LiteRT load.
DEBIAN = (
    "libc6 libgcc-s1 libstdc++6 zlib1g libssl3 libffi8 libexpat1 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 libcrypt1 "
    "libpython3.11-minimal libpython3.11-stdlib python3.11-minimal python3.11"
).split()
SOURCE = """Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
# What LiteRT asks Linux of its processor: the host's answer, which is no ARM's, ends it by a null pointer.
CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1
"""


def system(folder: Path) -> Path:
    """Unpack an aarch64 Debian with CPython 3.11 into the folder; return where it stands."""
    lists, unpacked = folder / "apt", folder / "arm64"
    for part in ("state/lists/partial", "cache/archives/partial", "sources", "debs"):
        (lists / part).mkdir(parents=True, exist_ok=True)
    (lists / "status").touch()
    (lists / "sources" / "debian.sources").write_text(SOURCE)
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "Dir::State": lists / "state",
        "Dir::State::status": lists / "status",
        "Dir::Cache": lists / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": lists / "sources",
    }
    apt = ["apt-get", *(f"-o{name}={value}" for name, value in settings.items())]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", *DEBIAN], check=True, cwd=lists / "debs")
    for package in sorted((lists / "debs").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
    processors = unpacked / "sys/devices/system/cpu"
    processors.mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present"):
        (processors / name).write_text("0\n")
    (unpacked / "proc").mkdir(exist_ok=True)
    (unpacked / "proc/cpuinfo").write_text(CPUINFO)
    return unpacked


def wheels(target: Path, *packages: str, machine: str) -> Path:
    """Install wheels of CPython 3.11 for a machine into a folder; return it."""
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (17, 27, 28, 34)]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--upgrade", "--no-deps", "--only-binary=:all:",
         "--implementation=cp", "--python-version=3.11", *platforms, f"--platform=manylinux2014_{machine}",
         f"--target={target}", *packages],
        check=True,
    )  # fmt: skip
    return target


def main(folder: Path) -> None:
    """Make both, and print the two lines."""
    old = wheels(folder / "tflite-2.14", "tflite-runtime==2.14.0", "numpy==1.26.4", machine="x86_64")
    new = wheels(folder / "litert-arm64", "ai-edge-litert==2.3.0", "numpy==2.4.6", machine="aarch64")
    arm = system(folder)
    emulator = f"qemu-aarch64 -cpu cortex-a76 -E PYTHONPATH={new} -L {arm} {arm / 'usr/bin/python3.11'}"
    print(f'export NPQUANT_TFLITE_2_14="env PYTHONPATH={old} python3.11 -S"')
    print(f'export NPQUANT_ARM64="{emulator}"')


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
