"""The requests of a pull, as the hub answers them: who, what there is, and files."""

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.hub_repository import digest_of, is_large
from tests.hub_xet import XetFile, answer_file, answer_token

if TYPE_CHECKING:
    from tests.hub_server import _Handler

ID = r"(?P<repo_id>[^/]+/[^/]+)"
KIND = "(?:models|datasets)"  # one name, one repository, whichever it is


def whoami(request: "_Handler") -> None:
    if account := request.account():
        request.answer_json({"name": account.name, "type": "user", "orgs": []})
    else:
        request.answer(401, headers={"X-Error-Message": "Invalid username or password."})


def info(request: "_Handler", repo_id: str, revision: str | None) -> None:
    if tree := request.tree(repo_id, revision or "main"):
        commit, files = tree
        request.answer_json(
            {
                "id": repo_id,
                "sha": commit,
                "private": request.hub.repositories[repo_id].private,
                "siblings": [{"rfilename": path} for path in files],
                "tags": [],
            }
        )


def refs(request: "_Handler", repo_id: str) -> None:
    if repository := request.repository(repo_id):
        pulls = {k: v for k, v in repository.refs.items() if k.startswith("refs/pr/")}
        branches = {k: v for k, v in repository.refs.items() if k not in pulls}

        def listed(names: dict[str, str], prefix: str) -> list[dict[str, str]]:
            return [
                {"name": name, "ref": prefix + name, "targetCommit": commit}
                for name, commit in names.items()
            ]

        request.answer_json(
            {
                "branches": listed(branches, "refs/heads/"),
                "tags": listed(repository.tags, "refs/tags/"),
                "converts": [],
                "pullRequests": listed(pulls, ""),
            }
        )


def tree(request: "_Handler", repo_id: str, revision: str) -> None:
    if found := request.tree(repo_id, revision):
        request.answer_json([_described(path, content) for path, content in found[1].items()])


def paths_info(request: "_Handler", repo_id: str, revision: str) -> None:
    if found := request.tree(repo_id, revision):
        asked = _form(request)
        files = {path: content for path, content in found[1].items() if path in asked}
        request.answer_json([_described(path, content) for path, content in files.items()])


def file(request: "_Handler", repo_id: str, revision: str, path: str) -> None:
    found = request.tree(repo_id, revision)
    if found is None:
        return
    commit, files = found
    if path not in files:
        headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}
        request.answer(404, headers=headers)
        return
    content = files[path]
    if isinstance(content, XetFile):
        token = f"/api/models/{repo_id}/xet-read-token/{commit}"
        answer_file(request, content, {"X-Repo-Commit": commit}, token)
        return
    digest = digest_of(path, content)
    headers = {"X-Repo-Commit": commit, "ETag": f'"{digest}"'}
    if not is_large(path, content):
        request.answer(200, content, headers)
        return
    request.hub.store[digest] = content
    request.answer(
        302,
        headers=headers
        | {
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(content)),
            "Location": f"{request.hub.cdn}/large/{digest}?signature=of-this-address",
        },
    )


def xet_read_token(request: "_Handler", repo_id: str, revision: str) -> None:
    if request.tree(repo_id, revision):
        answer_token(request)


def large(request: "_Handler", digest: str) -> None:
    content = request.hub.store.get(digest)
    if content is None or not request.is_cdn:
        request.answer(404)
        return
    part = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if part is None:
        request.answer(200, content, {"ETag": f'"{hashlib.md5(content).hexdigest()}"'})
        return
    start, end = int(part[1]), int(part[2] or len(content) - 1)
    headers = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
    request.answer(206, content[start : end + 1], headers)


def _form(request: "_Handler") -> list[str]:
    return parse_qs(request.body.decode()).get("paths", [])


def _described(path: str, content: bytes) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    found: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": blob}
    if is_large(path, content):
        found["lfs"] = {"oid": digest_of(path, content), "size": len(content), "pointerSize": 134}
    return found


ROUTES = [
    ("GET", "/api/whoami-v2", whoami),
    ("GET", rf"/api/{KIND}/{ID}(/revision/(?P<revision>[^/]+))?", info),
    ("GET", rf"/api/models/{ID}/refs", refs),
    ("GET", rf"/api/{KIND}/{ID}/tree/(?P<revision>[^/]+)", tree),
    ("POST", rf"/api/{KIND}/{ID}/paths-info/(?P<revision>[^/]+)", paths_info),
    ("GET", rf"/api/models/{ID}/xet-read-token/(?P<revision>[^/]+)", xet_read_token),
    ("GET HEAD", rf"(?:/datasets)?/{ID}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", file),
    ("GET HEAD", r"/large/(?P<digest>[0-9a-f]{64})", large),
]
