"""Compares a file of codes with headers: codes.py CODES.YAML FOLDER <addresses of wheels.

FOLDER has the headers of Debian's packages; of the wheels the headers are read in place.
"""

import errno
import pathlib
import re
import signal
import sys

import remotezip
import yaml

NUMBER = r"(-?(?:0x[0-9A-Fa-f]+|\d+))"


def enumerated(text, prefix):
    """The names of an enum that are given a number of their own."""
    return {name: int(n, 0) for name, n in re.findall(r"\b(%s\w+)\s*(?:CUDNN_DEPRECATED_ENUM\s*)?=\s*%s" % (prefix, NUMBER), text)}


def defined(text):
    """The names that #define gives a number, the first one of each."""
    cast = r"\(?\(?(?:HRESULT|NTSTATUS|DWORD|_HRESULT_TYPEDEF_|__MSABI_LONG)?\)?\s*\(?"
    names = {}
    for name, n in re.findall(r"#define\s+(\w+)\s+%s%s" % (cast, NUMBER), text):
        names.setdefault(name, int(n, 0))
    return names


def main(codes, folder):
    header = {p.name: p.read_text(errors="replace") for p in pathlib.Path(folder).rglob("*.h")}
    for address in sys.stdin.read().split():
        with remotezip.RemoteZip(address) as wheel:
            for name in wheel.namelist():
                base = name.rpartition("/")[2]
                if base in ("driver_types.h", "cuda.h", "cublas_api.h", "cudnn_graph.h", "cudnn_ops_infer.h"):
                    header[base] = wheel.read(name).decode(errors="replace")
    of = {
        "ntstatus": defined(header["ntstatus.h"]),
        "win32": defined(header["winerror.h"]),
        "hresult": defined(header["winerror.h"]),
        "errno": {name: n for n, name in errno.errorcode.items()},
        "signal": {s.name: int(s) for s in signal.Signals},
        "cuda-runtime": enumerated(header["driver_types.h"], "cudaError"),
        "cuda-driver": enumerated(header["cuda.h"], "CUDA_ERROR"),
        "cublas": enumerated(header["cublas_api.h"], "CUBLAS_STATUS_"),
        "cudnn": enumerated(header["cudnn_graph.h"], "CUDNN_STATUS_"),
        "opencl": defined("".join(header[h] for h in ("cl.h", "cl_ext.h", "cl_gl.h", "cl_d3d11.h"))),
        "vulkan": enumerated(header["vulkan_core.h"], "VK_"),
    }
    older = {"cudnn": enumerated(header["cudnn_ops_infer.h"], "CUDNN_STATUS_")}
    equal = wrong = 0
    for family in yaml.safe_load(pathlib.Path(codes).read_text()):
        known = of.get(family["family"])
        if known is None:
            print(f"{family['family']}: no header to compare with, {len(family['codes'])} codes")
            continue
        for code in family["codes"]:
            name, number = code["name"], int(str(code["code"]), 0)
            said = [names[name] for names in (known, older.get(family["family"], {})) if name in names]
            if family["family"] == "hresult":
                said += [0x80070000 | n for n in said if 0 < n < 0x10000]  # HRESULT_FROM_WIN32
            if not said:
                print(f"{family['family']}: no header has {name} ({number})")
            elif any(n & 0xFFFFFFFF == number & 0xFFFFFFFF for n in said):
                equal += 1
            else:
                wrong += 1
                print(f"{family['family']}: {name} is {said} in the headers, not {number}")
    print(f"{equal} equal, {wrong} differ")
    return wrong != 0


sys.exit(main(*sys.argv[1:]))
