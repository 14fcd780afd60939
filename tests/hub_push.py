"""The requests of a push, as the hub answers them: repositories, branches, uploads, commits."""

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import yaml

from tests import hub_xet
from tests.hub_pull import ID
from tests.hub_repository import Repository, digest_of, is_large

if TYPE_CHECKING:
    from tests.hub_server import _Handler


def create(request: "_Handler") -> None:
    wanted = request.json()
    account = request.account()
    owner = wanted.get("organization") or (account.name if account else "nobody")
    repo_id = f"{owner}/{wanted['name']}"
    if not request.may_write(repo_id):
        return
    url = {"url": f"{request.hub.endpoint}/{repo_id}"}
    if repo_id in request.hub.repositories:
        request.answer_json(url | {"error": "You already created this model repo"}, 409)
        return
    repository = Repository(private=wanted.get("visibility") == "private")
    attributes = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
    repository.add({".gitattributes": attributes}, "main", "initial commit")
    request.hub.repositories[repo_id] = repository
    request.answer_json(url)


def branch(request: "_Handler", repo_id: str, branch: str) -> None:
    if not (request.may_write(repo_id) and (repository := request.repository(repo_id))):
        return
    start = repository.find(request.json().get("startingPoint", "main"))
    if branch in repository.refs:
        request.answer_json({"error": f"Reference already exists: refs/heads/{branch}"}, 409)
    elif branch.startswith("refs/") or start is None:
        request.answer_json({"error": f"Invalid reference for a branch: {branch}"}, 400)
    else:
        repository.refs[branch] = start
        request.answer_json({})


def tag(request: "_Handler", repo_id: str, revision: str) -> None:
    if not (request.may_write(repo_id) and (repository := request.repository(repo_id))):
        return
    if found := request.tree(repo_id, revision):
        repository.tags[request.json()["tag"]] = found[0]
        request.answer_json({})


def validate_yaml(request: "_Handler") -> None:
    content = request.json()["content"]
    try:
        front = yaml.safe_load(content.split("---")[1]) if content.startswith("---") else {}
        wrong = [] if isinstance(front, dict) else ["the metadata must be a mapping"]
        if isinstance(front, dict) and not isinstance(front.get("license", ""), str):
            wrong.append('"license" must be a string')
    except yaml.YAMLError as error:
        wrong = [str(error)]
    errors = [{"message": message} for message in wrong]
    request.answer_json({"errors": errors, "warnings": []}, 400 if errors else 200)


def preupload(request: "_Handler", repo_id: str, revision: str) -> None:
    found = _may_propose(request, repo_id) and request.tree(repo_id, revision)
    if not found:
        return
    there = {path: digest_of(path, content) for path, content in found[1].items()}
    request.answer_json(
        {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if is_large(file["path"], file["size"]) else "regular",
                    "shouldIgnore": False,
                    "oid": there.get(file["path"]),
                }
                for file in request.json()["files"]
            ]
        }
    )


def lfs_batch(request: "_Handler", repo_id: str) -> None:
    if not _may_propose(request, repo_id):
        return
    objects = []
    for wanted in request.json()["objects"]:
        digest = wanted["oid"]
        actions = {
            "upload": {"href": f"{request.hub.cdn}/upload/{digest}?signature=of-this-address"},
            "verify": {"href": f"{request.hub.endpoint}/{repo_id}/verify"},
        }
        is_there = digest in request.hub.store
        objects.append(wanted if is_there else wanted | {"actions": actions})
    request.answer_json({"transfer": "basic", "objects": objects})


def upload(request: "_Handler", digest: str) -> None:
    if not request.is_cdn or hashlib.sha256(request.body).hexdigest() != digest:
        request.answer(400)
        return
    request.hub.store[digest] = request.body
    request.answer(200)


def verify(request: "_Handler", repo_id: str) -> None:
    wanted = request.json()
    content = request.hub.store.get(wanted["oid"])
    if request.account() and content is not None and len(content) == wanted["size"]:
        request.answer(200)
    else:
        request.answer(422)


def xet_write_token(request: "_Handler", repo_id: str, revision: str) -> None:
    if request.hub.xet_store is None:
        request.answer(404)
        return
    if not _may_propose(request, repo_id):
        return
    hub_xet.answer_token(request)


def commit(request: "_Handler", repo_id: str, revision: str) -> None:
    is_proposal = request.query.get("create_pr") == ["1"]
    is_allowed = _may_propose(request, repo_id) if is_proposal else request.may_write(repo_id)
    if not (is_allowed and (repository := request.repository(repo_id))):
        return
    header, *changes = [json.loads(line) for line in request.body.splitlines()]
    with request.hub.lock:
        parent = header["value"].get("parentCommit")
        head = repository.refs.get(revision)
        if head is None or (parent and parent != head and not is_proposal):
            message = "A commit has happened since. Please refresh and try again."
            request.answer(412 if head else 404, headers={"X-Error-Message": message})
            return
        files = _changed(request, repository.commits[parent or head], changes)
        number = sum(ref.startswith("refs/pr/") for ref in repository.refs) + 1
        ref = f"refs/pr/{number}" if is_proposal else revision
        sha = repository.add(files, ref, header["value"]["summary"])
    url = f"{request.hub.endpoint}/{repo_id}"
    made = {"success": True, "commitUrl": f"{url}/commit/{sha}", "commitOid": sha}
    if is_proposal:
        made["pullRequestUrl"] = f"{url}/discussions/{number}"
    request.answer_json(made)


def _changed(request: "_Handler", tree: dict[str, bytes], changes: list[dict]) -> dict[str, bytes]:
    files = dict(tree)
    for change in changes:
        value = change["value"]
        match change["key"]:
            case "file":
                files[value["path"]] = base64.b64decode(value["content"])
            case "lfsFile":
                files[value["path"]] = _large(request, value["oid"], value["size"])
            case "deletedFile":
                del files[value["path"]]
    return files


def _large(request: "_Handler", digest: str, size: int) -> bytes:
    if request.hub.xet_store is None:
        return request.hub.store[digest]
    return hub_xet.find(request.hub.xet_store, digest, size)


def _may_propose(request: "_Handler", repo_id: str) -> bool:
    """Whoever may read and is known may open a pull request, and upload for it."""
    if request.query.get("create_pr") != ["1"] and not request.path.endswith("batch"):
        return request.may_write(repo_id)
    return request.repository(repo_id) is not None and request.account() is not None


REVISION = r"(?P<revision>[^/]+)"
ROUTES = [
    ("POST", "/api/repos/create", create),
    ("POST", "/api/validate-yaml", validate_yaml),
    ("POST", rf"/api/models/{ID}/branch/(?P<branch>[^/]+)", branch),
    ("POST", rf"/api/models/{ID}/tag/{REVISION}", tag),
    ("POST", rf"/api/models/{ID}/preupload/{REVISION}", preupload),
    ("POST", rf"/{ID}\.git/info/lfs/objects/batch", lfs_batch),
    ("PUT", r"/upload/(?P<digest>[0-9a-f]{64})", upload),
    ("POST", rf"/{ID}/verify", verify),
    ("GET", rf"/api/models/{ID}/xet-write-token/{REVISION}", xet_write_token),
    ("POST", rf"/api/models/{ID}/commit/{REVISION}", commit),
]
