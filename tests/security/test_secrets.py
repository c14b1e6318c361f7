"""The repository contains no key."""

import re
import subprocess

import pytest

from harness.paths import ROOT

KEYS = re.compile(
    r"\b(?:sk|rk|pk)[-_][A-Za-z0-9_-]{16,}"  # OpenAI, Stripe
    r"|\bhf_[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bglpat-[A-Za-z0-9_-]{20}"
    r"|\bA[KS]IA[0-9A-Z]{16}\b|\bAIza[A-Za-z0-9_-]{35}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bpypi-[A-Za-z0-9_-]{50,}"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
    r"|(?i:(?:api_?key|secret|token|passw(?:or)?d)[\"']?\s*[:=]\s*[\"']?)(?=[A-Za-z0-9+/_-]*[0-9])[A-Za-z0-9+/_-]{32,}"
)
FAKES = {"sk-exchange-0123456789abcdef", "sk-fault-0123456789abcdef-not-a-key", "sk-page-0123456789abcdef-not-a-key",
         "sk-a-secret-of-the-tests"}  # fmt: skip


def test_no_tracked_file_holds_a_key():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    found = [
        f"{name}: {key[:12]}..."
        for name in names
        for key in KEYS.findall((ROOT / name).read_bytes().decode("utf-8", "replace"))
        if key not in FAKES
    ]
    assert len(names) > 400 and not found, "\n".join(found)


@pytest.mark.parametrize(
    ("before", "after"),
    [("sk-", "proj-" + "a1" * 12), ("hf", "_" + "aB" * 17), ("AKI", "A" + "Q7" * 8), ("gh", "p_" + "a1" * 18),
     ("-----BEGIN RSA ", "PRIVATE KEY-----"), ("AIz", "a" + "x" * 35), ("API_KEY=", "a1" * 20), ('"token": "', "b2" * 20)],
)  # fmt: skip
def test_each_kind_would_be_found(before, after):
    assert KEYS.search(f"x = {before + after}")


def test_the_page_on_security_names_tests_that_exist():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = {
        name if name.startswith("tests/") else f"tests/security/{name}"
        for name in re.findall(r"`((?:tests/|test_)[a-z_/.]*)`", text)
    }
    assert len(named) > 8 and not [name for name in named if not (ROOT / name).exists()]


def test_the_page_on_security_speaks_of_the_versions_that_are_locked():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    locks = {name: (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8") for name in ("boson", "main")}
    for package, version, names in (
        ("transformers", "4.46.3", ["boson"]), ("transformers", "5.23.0", ["main"]), ("torch", "2.13.0", ["boson", "main"]),
        ("accelerate", "1.15.0", ["boson"]),
    ):  # fmt: skip
        assert version in text and all(f"\n{package}=={version}" in locks[name] for name in names)
    assert "\nkernels==" not in locks["boson"]
