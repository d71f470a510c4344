"""The optional native parser; all else is in pyproject.toml.

`CK3PARSE_NATIVE` says whether it is built: `1` requires it, `0` leaves it out, and unset builds it
where that can be done, so that an install without a Rust toolchain succeeds.
"""

import os
import shutil

from setuptools import setup

choice = os.environ.get("CK3PARSE_NATIVE", "")
if choice not in ("", "0", "1"):
    raise SystemExit(f"CK3PARSE_NATIVE is {choice!r}: it may be 0, 1 or unset")

if choice == "0" or (not choice and shutil.which(os.environ.get("CARGO", "cargo")) is None):
    setup()
else:
    from setuptools_rust import RustExtension

    setup(
        rust_extensions=[
            RustExtension(
                "ck3parse.parser._native",
                path="rust/python/Cargo.toml",
                args=["--locked"],
                debug=False,
                optional=not choice,
                rust_version=">=1.88",
                py_limited_api=True,
            )
        ],
        options={"bdist_wheel": {"py_limited_api": "cp311"}},
    )
