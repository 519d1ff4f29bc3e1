"""Counting, one speaker's rows and text search over a large lake, packed against not packed.

    python -m benchmarks.sql [--utterances 1200000] [--parts 500] [--repeats 9] [--json FILE]

Makes up a lake: utterances of twelve words, words as frequent as in a language (Zipf), 60 utterances to a recording, one
voice with a hundredth of all, the others with some hundreds each, a hundred of them named. Tables of words, turns and
coverage stay empty, so that it takes minutes; packing them is measured by ``--words`` for as many utterances.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.output import Row, add_json_option, report
from benchmarks.runs import timed
from storage.catalog import open_catalog
from storage.lake import Lake, Part, Publication
from storage.publishing import part_key
from storage.schemas import PARTS
from storage.terms import index_terms
from tasks.publishing.pack import pack_lake

_WORDS_EACH, _PER_RECORDING = 12, 60
_VOCABULARY = 50_000
_HOST, _TYPICAL = "spk_0000000000", "spk_0000000777"
_N_NAMED = 100
_COLUMNS = ("what", "parts ms", "packed ms", "ratio", "parts cpu ms", "packed cpu ms", "rows", "goal ms")
_OF_BUILDING = ("what", "wall s", "cpu s", "MB")
