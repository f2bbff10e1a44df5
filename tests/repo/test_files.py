import re

from .tree import ROOT, tracked_files

# Spelt apart, so that this file passes its own test.
HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("golang", "org"),
        ("debian", "org"),
        ("docker", "io"),
        ("quay", "io"),
        ("ghcr", "io"),
    ]
]
LOCK_FILES = {
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pylock.toml",
    "package-lock.json",
    "yarn.lock",
}


def test_no_file_names_the_host_of_a_registry() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked_files()
        for text in [path.read_bytes().decode(errors="replace").lower()]
        for host in HOSTS
        if host in text
    }
    assert not found


def test_no_page_or_message_installs_the_package_of_somebody_else() -> None:
    by_name = re.compile(r"pip3? install\b[^\n]*[\s\"'`]otelq\b")  # on the public index another project has the name
    changelog = ROOT / "CHANGELOG.md"  # which may quote what was printed before
    texts = {path: path.read_bytes().decode(errors="replace") for path in tracked_files() if path != changelog}
    assert {
        f"{path.relative_to(ROOT)}: {found}" for path, text in texts.items() for found in by_name.findall(text)
    } == set()


def test_no_lock_file_is_kept() -> None:
    assert LOCK_FILES.isdisjoint(path.name for path in tracked_files())


def test_every_pin_has_a_hash() -> None:
    pins = (ROOT / "requirements-dev.txt").read_text().replace("\\\n", " ").splitlines()
    unhashed = [pin for pin in pins if "==" in pin and "--hash=sha256:" not in pin]
    assert not unhashed
