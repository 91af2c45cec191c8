"""Certificates that vouch for themselves: who is to trust one is given its file."""

import shlex
import shutil
import subprocess
from pathlib import Path

from tests.missing import leave_out


def certificate_for(name: str, path: Path) -> Path:
    """A certificate for this subject, such as "DNS:example.org" or "IP:127.0.0.1", with its key in the same file."""
    if not (openssl := shutil.which("openssl")):
        leave_out("openssl makes the certificate")
    own = path.with_suffix(".cert")
    made = f"""req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2
               -subj /CN={name.partition(":")[2]} -addext subjectAltName={name} -keyout {path} -out {own}"""
    subprocess.run([openssl, *shlex.split(made)], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + own.read_bytes())
    return path
