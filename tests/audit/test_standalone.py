"""The standalone verifiers: each thing that may be wrong has its code and its event, in Python and in JavaScript."""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commands.policies.caps import *  # placeholder
