#!/usr/bin/env bash
# BERT's tokenizer loses the whole word that an unknown emoji touches.
#
# GUESS:     an emoji that the vocabulary lacks becomes [UNK], and the word before it stays.
# VERSION:   tokenizers 0.23.3.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the splitter of BERT cuts at blanks and punctuation. An emoji is a symbol, not punctuation, so
#            "great" with an emoji behind it is one word; WordPiece finds no parts for all of it, and one
#            unknown part makes the whole word [UNK]. The same holds for a trade mark sign. In tweets, where
#            emoji stand without a blank, it is the words with feeling that go. "!" does no harm.
# Output (U+1F600 is a face):
#   'great U+1F600'  ['great', '[UNK]']
#   'greatU+1F600'   ['[UNK]']
#   'moviesU+2122'   ['[UNK]']
#   'movies!'        ['movie', '##s', '!']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'tokenizers==0.23.3'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

words = ["[UNK]", "great", "movie", "##s", "!"]
tokenizer = Tokenizer(models.WordPiece({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer()
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
expected = {
    "great \U0001f600": ["great", "[UNK]"],
    "great\U0001f600": ["[UNK]"],
    "movies\u2122": ["[UNK]"],
    "movies!": ["movie", "##s", "!"],
}
for text, tokens in expected.items():
    seen = tokenizer.encode(text).tokens
    shown = "".join(c if c.isascii() else f"U+{ord(c):04X}" for c in text)
    print(f"{shown!r:16} {seen}")
    assert seen == tokens, text
PY
