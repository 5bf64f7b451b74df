"""Where a tokenizer comes from: built in, a folder, a mirror, or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.errors import UserError
from equipoise.modalities.text import Settings
from equipoise.modalities.text.tokens import Bytes, Library, Tokens
from equipoise.models import weights
from equipoise.places import MIRROR

ROLES = ("unk_token", "pad_token", "mask_token")
#: Files of a model that say how its text is cut into tokens.
PATTERNS = (
    *("tokenizer*", "vocab*", "merges*", "*.model", "config.json"),
    *("special_tokens_map.json", "added_tokens.json"),
)


def tokens(settings: Settings) -> Tokens:
    """Return the tokenizer that settings name.

    Raises:
        UserError: It is nowhere, or not readable.
    """
    return _tokens(settings.tokenizer, settings.revision, settings.lower_case)


@cache
def _tokens(name: str, revision: str, lower_case: bool | None) -> Tokens:
    if name == Bytes.identity:
        return Bytes()
    folder = _folder(name, revision)
    try:
        return _read(folder, lower_case)
    except UserError:
        raise
    except Exception as error:  # the readers of broken files raise anything
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"tokenizer {name!r}: {folder} cannot be read: {reason}") from None


def _folder(name: str, revision: str) -> Path:
    """Return the folder that holds the files."""
    if (path := Path(name).expanduser()).is_dir():
        return path
    if path.suffix == ".json" and path.is_file():
        return path.parent
    if name in weights.table():
        return weights.place(name).path.parent
    mirror = os.environ.get(MIRROR)
    if mirror:
        copy = Path(mirror).expanduser() / "huggingface.co" / name / "resolve" / revision
        if copy.is_dir():
            return copy
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(PATTERNS)))
    except HFValidationError:
        raise UserError(f"tokenizer {name!r}: no such folder, and no id of the hub") from None
    except Exception as error:  # of requests, httpx, the hub: they change
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"tokenizer {name!r}: no such folder, not in ${MIRROR}, and the hub gives none "
            f"({type(error).__name__}: {reason}); name a folder with tokenizer.json"
        ) from None


def _read(folder: Path, lower_case: bool | None) -> Tokens:
    if (file := folder / "tokenizer.json").is_file():
        from tokenizers import Tokenizer

        return Library(Tokenizer.from_file(str(file)), _roles(folder, file), _identity(folder))
    if (folder / "vocab.txt").is_file() and not (folder / "tokenizer_config.json").is_file():
        return _bare(folder, lower_case)
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    backend = getattr(loaded, "backend_tokenizer", None)
    if backend is None:
        raise UserError(f"{folder}: no fast tokenizer; save one there as tokenizer.json")
    roles = {role: str(token) for role in ROLES if (token := getattr(loaded, role, None))}
    return Library(backend, roles, _identity(folder))


def _bare(folder: Path, lower_case: bool | None) -> Tokens:
    """Read a vocabulary of BERT that stands alone."""
    if lower_case is None:
        raise UserError(
            f"{folder}: vocab.txt alone does not say whether text is lower-cased; say "
            "lower_case: true or false"
        )
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=lower_case)
    roles = dict(zip(ROLES, ("[UNK]", "[PAD]", "[MASK]"), strict=True))
    return Library(tokenizer._tokenizer, roles, _identity(folder))


def _roles(folder: Path, file: Path) -> dict[str, str]:
    """Return which token is unknown, padding, mask, as the files beside ``tokenizer.json`` say."""
    roles: dict[str, str] = {}
    own = files.read_json(file, "restore it")
    if isinstance(unknown := own["model"].get("unk_token"), str):
        roles["unk_token"] = unknown
    if own.get("padding"):
        roles["pad_token"] = own["padding"]["pad_token"]
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (path := folder / name).is_file():
            said: dict[str, Any] = files.read_json(path, "restore it")
            for role in ROLES:
                token = said.get(role)
                token = token.get("content") if isinstance(token, dict) else token
                if isinstance(token, str):
                    roles[role] = token
    return roles


def _identity(folder: Path) -> str:
    """Return a digest of names and contents of the files that decide."""
    paths = {path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()}
    listed = {path.name: files.sha256(path) for path in sorted(paths)}
    listed.pop("config.json", None)  # of the model, not of the text
    return f"sha256:{hashlib.sha256(json.dumps(listed).encode()).hexdigest()}"
