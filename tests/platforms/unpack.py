"""Unpacks a zip with the modes it holds, as Lambda does.

Usage: unpack.py ZIP FOLDER
"""

import os
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as archive:
    for entry in archive.infolist():
        path = archive.extract(entry, sys.argv[2])
        os.chmod(path, entry.external_attr >> 16 & 0o777)
