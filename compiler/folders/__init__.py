# SPDX-License-Identifier: Apache-2.0
"""Folders that qnnc writes: filled next to their place, swapped in whole, with a manifest."""

from qnnc.compiler.folders.claim import claimed, copy_own, owned_folder, refuse_foreign
from qnnc.compiler.folders.manifest import Contents, Manifest, contents
from qnnc.compiler.folders.partial import locked
from qnnc.compiler.folders.swap import in_the_way, publish, settle

__all__ = [
    "Contents",
    "Manifest",
    "claimed",
    "contents",
    "copy_own",
    "in_the_way",
    "locked",
    "owned_folder",
    "publish",
    "refuse_foreign",
    "settle",
]
