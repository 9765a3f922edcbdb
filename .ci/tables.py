"""Derives the facts that .ci/tables compares with the tables.

    tables.py FOLDER CACHE [FACTS…]    writes FOLDER/FACTS.txt, by default all of them

Runs with the Python of a virtual environment: the index, its certificate and a
proxy are the ones that pip is set up with, because pip itself makes the requests.
Of a wheel only the directory and the files that are read are fetched (range
requests). What was read stays in CACHE, by the wheel's name.
"""

import os
import re
import subprocess
import sys
import tempfile
import zipfile

from pip._internal.commands import create_command
from pip._internal.index.collector import parse_links
from pip._internal.models.link import Link
from pip._internal.network.lazy_wheel import LazyZipOverHTTP
from pip._vendor.packaging.utils import parse_wheel_filename

KB = 1024


class Index:
    """The package index of this machine's pip."""

    def __init__(self, cache):
        self.cache = cache
        command = create_command("download")
        options, _ = command.parse_args(["nothing"])
        self.context = command.main_context()
        self.context.__enter__()  # ends with the process
        self.session = command.get_default_session(options)
        self.finder = command._build_package_finder(options, self.session)
        self.links = {}

    def wheels(self, package):
        """The wheels of a package: (version, platform tags, link), oldest first."""
        if package not in self.links:
            found = {}
            for place in self.finder.search_scope.get_index_urls_locations(package):
                page = self.finder._link_collector.fetch_response(Link(place))
                for link in parse_links(page) if page else []:
                    if link.is_wheel and not link.is_yanked:
                        _, version, _, tags = parse_wheel_filename(link.filename)
                        found[link.filename] = (version, sorted({t.platform for t in tags}), link)
            if not found:
                raise SystemExit(f"the index has no wheels of {package}")
            self.links[package] = sorted(found.values(), key=lambda w: (w[0], w[2].filename))
        return self.links[package]

    def versions(self, package):
        """Its releases, oldest first, without those before a release."""
        return sorted({v for v, _, _ in self.wheels(package) if not v.is_prerelease})

    def wheel(self, package, version, system):
        """One wheel of a release for 64-bit x86; None where it has none."""
        for v, platforms, link in reversed(self.wheels(package)):
            of = "windows" if "win_amd64" in platforms else "linux" if any(p.startswith("manylinux") and p.endswith("x86_64") for p in platforms) else ""
            if v == version and (of == system or platforms == ["any"]):
                return link
        return None

    def fetch(self, link, pattern, step):
        """The one file in a wheel whose name ends in pattern, from the index; empty
        where it has none."""
        with zipfile.ZipFile(LazyZipOverHTTP(link.url_without_fragment, self.session, step)) as wheel:
            names = [n for n in wheel.namelist() if re.search(pattern + "$", n)]
            return wheel.read(names[0]) if names else b""

    def read(self, link, pattern, step=64 * KB):
        """The one file in a wheel whose name ends in pattern; None where it has none."""
        kept = os.path.join(self.cache, link.filename + "-" + re.sub(r"[^a-z0-9.]+", "-", pattern, flags=re.I))
        if os.path.exists(kept):
            with open(kept, "rb") as f:
                return f.read() or None
        data = self.fetch(link, pattern, step)
        with open(kept + ".part", "wb") as f:
            f.write(data)
        os.replace(kept + ".part", kept)
        return data or None


def loads(data, system):
    """The libraries that an ELF or a PE names."""
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        tool = ["readelf", "-dW", f.name] if system == "linux" else ["objdump", "-p", f.name]
        text = subprocess.run(tool, check=True, capture_output=True, text=True).stdout
    found = re.findall(r"\(NEEDED\).*\[(.*?)\]" if system == "linux" else r"DLL Name: (\S+)", text)
    return sorted({n for n in found if re.match(r"(lib)?(cudart|cudnn|cublas|cufft|nvinfer|nvrtc)", n)})


def compilers(index):
    """Compiler limits in crt/host_config.h."""
    for package in ("nvidia-cuda-nvcc-cu11", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-crt"):
        for version in index.versions(package):
            for system in ("linux", "windows"):
                link = index.wheel(package, version, system)
                data = link and index.read(link, r"crt/host_config\.h")
                if not data:
                    print(f"no header: {package} {version} for {system}", file=sys.stderr)
                    continue
                text = data.decode()
                gcc = re.search(r"gcc versions later than (\d+)", text)
                # The condition counts: the message below it is wrong in 12.2.2 and 12.3.
                clang = re.search(r"#if \(__clang_major__ >= (\d+)\)[^\n]*\n(?:[^\n]*\n){0,1}#error -- unsupported clang version!", text)
                low, high = re.search(r"#if _MSC_VER < (\d+) \|\| _MSC_VER >= (\d+)", text).groups()
                yield f"{package} {version} {system} {gcc[1]} {int(clang[1]) - 1} {low} {int(high) - 1}"


def cudnn(index):
    """Releases of cuDNN, and the CUDA that each one's cuBLAS requirement names."""
    for package in ("nvidia-cudnn-cu11", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"):
        for version in index.versions(package):
            link = index.wheel(package, version, "linux") or index.wheel(package, version, "windows")
            if not link:
                print(f"no wheel: {package} {version}", file=sys.stderr)
                continue
            text = index.read(link, r"\.dist-info/METADATA").decode()
            needs = re.findall(r"^Requires-Dist: (nvidia-[a-z0-9-]+)", text, re.M)
            yield " ".join([package, str(version), *sorted(set(needs))])


def targets(index):
    """GPUs that a CUDA compiler has code for, as its ptxas lists them."""
    newest = {}
    for package in ("nvidia-cuda-nvcc-cu11", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvcc"):
        for version in index.versions(package):
            newest[version.release[:2]] = (package, version)
    for _, (package, version) in sorted(newest.items()):
        link = index.wheel(package, version, "linux")
        kept = os.path.join(index.cache, link.filename + "-targets")
        if not os.path.exists(kept):
            with tempfile.NamedTemporaryFile(delete=False) as f:
                f.write(index.fetch(link, r"/ptxas", 1024 * KB))
            os.chmod(f.name, 0o700)
            try:
                text = subprocess.run([f.name, "--help"], check=True, capture_output=True, text=True).stdout
            finally:
                os.remove(f.name)
            found = {int(n) for n in re.findall(r"'sm_(\d+)'", text)}
            with open(kept + ".part", "w") as f:
                f.write(" ".join(f"{n // 10}.{n % 10}" for n in sorted(found)))
            os.replace(kept + ".part", kept)
        with open(kept) as f:
            yield f"{package} {version} {f.read()}"


def torch(index):
    """CUDA and cuDNN that PyTorch's wheels require, the C++ standard that their
    all.h asks for, and what their libtorch_global_deps.so loads."""
    for version in index.versions("torch"):
        if version.release < (1, 13):
            continue  # these bring their own CUDA and require none
        link = index.wheel("torch", version, "linux")
        if not link:
            print(f"no wheel: torch {version}", file=sys.stderr)
            continue
        text = index.read(link, r"\.dist-info/METADATA", 512 * KB).decode()
        cuda = re.search(r"cuda-toolkit\[[^]]*\] ?\(?==(\d+\.\d+)|nvidia-cuda-runtime-cu\d+ ?\(?==(\d+\.\d+)", text)
        lib = re.search(r"nvidia-cudnn-cu\d+ ?\(?==([\d.]+)", text)
        if not cuda or not lib:
            print(f"no requirement on CUDA: torch {version}", file=sys.stderr)
            continue
        deps = index.read(link, r"torch/lib/libtorch_global_deps\.so", 512 * KB)
        header = index.read(link, r"torch/csrc/api/include/torch/all\.h", 512 * KB).decode()
        cxx = re.search(r"C\+\+(\d+) or later compatible compiler is required", header)
        yield " ".join([str(version), cuda[1] or cuda[2], lib[1], cxx[1], *(loads(deps, "linux") if deps else [])])


def onnxruntime(index):
    """The CUDA that ONNX Runtime's packages for the GPU were built with, and the
    cuDNN that their extra requires ("-" where they have no such extra)."""
    for version in index.versions("onnxruntime-gpu"):
        for system in ("linux", "windows"):
            link = index.wheel("onnxruntime-gpu", version, system)
            if not link:
                continue
            info = index.read(link, r"capi/build_and_package_info\.py")
            cuda = info and re.search(rb"cuda_version ?= ?['\"]([\d.]+)", info)
            text = index.read(link, r"\.dist-info/METADATA").decode()
            lib = re.search(r"nvidia-cudnn-cu\d+ ?\(?[~=]=([\d.]+)", text)
            yield f"{version} {system} {cuda[1].decode() if cuda else '-'} {lib[1] if lib else '-'}"


# Each is about 250 MB: the first and the last release of what a table has one row for.
LOADED = [("1.18.0", "linux"), ("1.18.1", "linux"), ("1.18.1", "windows"), ("1.19.0", "linux"), ("1.20.2", "linux"), ("1.31.1", "linux"), ("1.31.1", "windows")]


def imports(index):
    """The CUDA libraries that onnxruntime_providers_cuda loads (ELF and PE)."""
    package = "onnxruntime-gpu"
    for version, system in LOADED:
        link = index.wheel(package, next(v for v in index.versions(package) if str(v) == version), system)
        kept = os.path.join(index.cache, link.filename + "-loads")
        if not os.path.exists(kept):
            text = " ".join(loads(index.fetch(link, r"onnxruntime_providers_cuda\.(so|dll)", 1024 * KB), system))
            with open(kept + ".part", "w") as f:
                f.write(text)
            os.replace(kept + ".part", kept)
        with open(kept) as f:
            yield f"{package} {version} {system} {f.read()}"


FACTS = {
    "compilers": (compilers, "package version system gcc-max clang-max msc-ver-min msc-ver-max"),
    "targets": (targets, "package version compute-capabilities"),
    "cudnn": (cudnn, "package version required-packages"),
    "torch": (torch, "version cuda cudnn c++ loaded-libraries"),
    "onnxruntime": (onnxruntime, "version system cuda cudnn"),
    "imports": (imports, "package version system loaded-libraries"),
}


def main(folder, cache, *names):
    index = Index(cache)
    for name, (derive, columns) in FACTS.items():
        if names and name not in names:
            continue
        lines = ["# " + " ".join(derive.__doc__.split()) + " Written by .ci/tables.", "# " + columns, *derive(index)]
        with open(os.path.join(folder, name + ".txt"), "w") as f:
            f.write("\n".join(lines) + "\n")
        print(f"{name}: {len(lines) - 2} facts", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
